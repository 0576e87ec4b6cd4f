//! QuoteService: a stream of batches in, a stream of acknowledgements out.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use closemark_data::log::{BatchEncoder, BatchHead, EncodedBatch};
use closemark_proto::v1::{IngestQuotesResponse, RefusedQuote};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::wire::WireBatch;
use super::{refusals, window};
use crate::serve::clock;
use crate::serve::config::Limits;
use crate::serve::errors;
use crate::serve::security::{Caller, Role};
use crate::serve::state::Service;

/// Batches of one stream that may wait for the log.
const IN_FLIGHT_MAX: usize = 8;

/// `QuoteService`.
pub(crate) struct Quotes(pub(crate) Arc<Service>);

/// A batch handed over, with what its acknowledgement will say.
struct Handed {
    durable: oneshot::Receiver<Result<u64, Status>>,
    refused: Vec<RefusedQuote>,
    refused_count: u32,
}

/// Answers as they come.
pub(super) type Acknowledgements = ReceiverStream<Result<IngestQuotesResponse, Status>>;

impl Quotes {
    /// `QuoteService.IngestQuotes`.
    ///
    /// # Errors
    /// Where nobody says who calls.
    pub(super) fn ingest(&self, request: Request<Streaming<Bytes>>) -> Result<Response<Acknowledgements>, Status> {
        let caller = Caller::of(&request)?;
        let (handed_sender, handed) = mpsc::channel(IN_FLIGHT_MAX);
        let (answers, answered) = mpsc::channel(IN_FLIGHT_MAX);
        tokio::spawn(acknowledge(handed, answers));
        tokio::spawn(take_in(Arc::clone(&self.0), caller, request.into_inner(), handed_sender));
        Ok(Response::new(ReceiverStream::new(answered)))
    }
}

/// Reads batches until the stream, the caller's right or the service ends.
async fn take_in(
    service: Arc<Service>,
    caller: Caller,
    mut batches: Streaming<Bytes>,
    handed: mpsc::Sender<Result<Handed, Status>>,
) {
    let mut encoder = BatchEncoder::default();
    let mut drain = service.drain.clone();
    loop {
        let next = tokio::select! {
            next = batches.next() => next,
            () = drain.begun() => Some(Err(refusals::ended())),
        };
        let step = match next {
            None => return,
            Some(Err(status)) => Err(too_large(status)),
            Some(Ok(batch)) => hand_over(&service, &caller, &mut encoder, &batch).await,
        };
        let ends = step.is_err();
        // Whoever acknowledges is gone where the client is.
        if handed.send(step).await.is_err() || ends {
            return;
        }
    }
}

/// Encodes a batch and gives it to the log.
async fn hand_over(
    service: &Service,
    caller: &Caller,
    encoder: &mut BatchEncoder,
    message: &[u8],
) -> Result<Handed, Status> {
    // A stream may last a day; the caller's right may not.
    service.access.still(caller, Role::Ingest)?;
    let batch = WireBatch::read(message).map_err(|error| refusals::malformed(&error))?;
    let limit = service.config.limits.quotes_per_batch_max;
    if batch.count > limit as usize {
        return Err(errors::too_large("limits.quotes_per_batch_max", format!("a batch has at most {limit} quotes")));
    }
    let encoded = encode(&service.config.limits, encoder, &batch)?;
    let refused = encoded.refused.iter().map(|row| RefusedQuote { index: row.index, reason: row.reason.to_owned() });
    let (refused, refused_count) = (refused.collect(), encoded.refused_count);
    for (reason, count) in &encoded.refused_by_reason {
        metrics::counter!("closemark_quotes_refused_total", "reason" => *reason).increment(u64::from(*count));
    }
    let durable = service.log.append(encoded).await?;
    Ok(Handed { durable, refused, refused_count })
}

fn encode(limits: &Limits, encoder: &mut BatchEncoder, batch: &WireBatch<'_>) -> Result<EncodedBatch, Status> {
    let now = clock::now();
    let head = BatchHead {
        producer_id: batch.producer_id,
        sequence: batch.sequence,
        market_date: window::market_date(limits, batch.market_date, now)?,
        received_unix_nanos: now.0,
    };
    let failed = Cell::new(None);
    let encoded = encoder.encode(&head, batch.quotes(&failed)).map_err(|error| refusals::encode(&error))?;
    failed.get().map_or(Ok(encoded), |error| Err(refusals::malformed(&error)))
}

/// Acknowledges in the order of the batches, each once it is durable.
async fn acknowledge(
    mut handed: mpsc::Receiver<Result<Handed, Status>>,
    answers: mpsc::Sender<Result<IngestQuotesResponse, Status>>,
) {
    while let Some(step) = handed.recv().await {
        let answer = match step {
            Err(status) => Err(status),
            Ok(handed) => match handed.durable.await {
                Ok(Ok(acknowledged_sequence)) => Ok(IngestQuotesResponse {
                    acknowledged_sequence,
                    refused: handed.refused,
                    refused_count: handed.refused_count,
                }),
                Ok(Err(status)) => Err(status),
                Err(_) => Err(refusals::ended()),
            },
        };
        let ends = answer.is_err();
        if answers.send(answer).await.is_err() || ends {
            return;
        }
    }
}

/// A message above its limit is a limit like the others; anything else ended the stream and says so itself.
fn too_large(status: Status) -> Status {
    if matches!(status.code(), tonic::Code::OutOfRange | tonic::Code::ResourceExhausted) {
        return errors::too_large(
            "limits.message_bytes_max",
            "a message is larger than limits.message_bytes_max allows",
        );
    }
    status
}
