//! The route of `QuoteService`: as tonic generates it, but that batches stay the bytes they came as.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use closemark_proto::v1::IngestQuotesResponse;
use closemark_proto::v1::quote_service_server::SERVICE_NAME;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings};
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstEncoder;

use super::quotes::{Acknowledgements, Quotes};

/// The one method's path.
const INGEST_QUOTES: &str = "/closemark.v1.QuoteService/IngestQuotes";

/// Messages in as bytes, answers out as prost writes them.
#[derive(Clone, Copy, Debug, Default)]
struct WireCodec;

/// The decoder of [`WireCodec`].
#[derive(Clone, Copy, Debug, Default)]
struct Whole;

impl Codec for WireCodec {
    type Encode = IngestQuotesResponse;
    type Decode = Bytes;
    type Encoder = ProstEncoder<IngestQuotesResponse>;
    type Decoder = Whole;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Whole {
        Whole
    }
}

impl Decoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}

/// `QuoteService` as a tower service.
#[derive(Clone)]
pub(crate) struct QuoteRoute {
    quotes: Arc<Quotes>,
    message_bytes_max: usize,
}

impl QuoteRoute {
    pub(crate) fn new(quotes: Quotes, message_bytes_max: usize) -> Self {
        Self { quotes: Arc::new(quotes), message_bytes_max }
    }
}

impl NamedService for QuoteRoute {
    const NAME: &'static str = SERVICE_NAME;
}

struct IngestQuotes(Arc<Quotes>);

type Ready<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl StreamingService<Bytes> for IngestQuotes {
    type Response = IngestQuotesResponse;
    type ResponseStream = Acknowledgements;
    type Future = Ready<Result<Response<Acknowledgements>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let answer = self.0.ingest(request);
        Box::pin(std::future::ready(answer))
    }
}

impl tower::Service<http::Request<Body>> for QuoteRoute {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != INGEST_QUOTES {
            let status = Status::unimplemented("QuoteService has no such method");
            return Box::pin(std::future::ready(Ok(status.into_http())));
        }
        let (method, bytes_max) = (IngestQuotes(Arc::clone(&self.quotes)), self.message_bytes_max);
        Box::pin(async move {
            let mut accepted = EnabledCompressionEncodings::default();
            accepted.enable(CompressionEncoding::Zstd);
            accepted.enable(CompressionEncoding::Gzip);
            let mut grpc = Grpc::new(WireCodec)
                .apply_compression_config(accepted, EnabledCompressionEncodings::default())
                .apply_max_message_size_config(Some(bytes_max), None);
            Ok(grpc.streaming(method, request).await)
        })
    }
}
