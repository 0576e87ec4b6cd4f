//! What `MarkService` answers, as tonic's codec and as a body: rows become bytes when the transport asks for them.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use closemark_data::store::Close;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic_prost::ProstDecoder;

use super::wire::{TOKEN_FIELD, element_bytes, put_element, put_mark, put_row};

/// One mark, with what its bytes need, is below this.
const MARK_BYTES: usize = 2 << 10;
/// Bytes of one piece of a page.
const PIECE_BYTES: usize = 32 << 10;
/// Rows that are measured before other calls have their turn.
const ROWS_AT_ONCE: usize = 64;

/// An answer's message.
pub(super) enum Answer {
    /// The mark of a row.
    Mark {
        /// Where the row is.
        close: Arc<Close>,
        /// The row.
        row: u32,
        /// `dates/*/runs/*/marks/`.
        prefix: String,
    },
    /// A message that is bytes already.
    Bytes(Vec<u8>),
}

/// Requests as prost reads them, answers as [`Answer`] has them.
pub(super) struct AnswerCodec<Q>(PhantomData<fn() -> Q>);

impl<Q> Default for AnswerCodec<Q> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Q: Message + Default + 'static> Codec for AnswerCodec<Q> {
    type Encode = Answer;
    type Decode = Q;
    type Encoder = AnswerEncoder;
    type Decoder = ProstDecoder<Q>;

    fn encoder(&mut self) -> AnswerEncoder {
        AnswerEncoder
    }

    fn decoder(&mut self) -> ProstDecoder<Q> {
        ProstDecoder::default()
    }
}

/// The encoder of [`AnswerCodec`].
pub(super) struct AnswerEncoder;

impl Encoder for AnswerEncoder {
    type Item = Answer;
    type Error = Status;

    fn encode(&mut self, answer: Answer, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        match answer {
            Answer::Bytes(bytes) => out.put_slice(&bytes),
            Answer::Mark { close, row, prefix } => {
                if let Some(view) = close.marks().row(row) {
                    put_mark(&prefix, view, out);
                }
            }
        }
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(MARK_BYTES, PIECE_BYTES)
    }
}

/// One page of marks: its length is known, its bytes are made while the client takes them. However slowly it does, the
/// service holds one piece of the page and not the whole.
#[derive(Clone)]
pub(super) struct Page {
    close: Arc<Close>,
    prefix: String,
    rows: VecDeque<Range<u32>>,
    token: String,
    bytes: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Rows,
    Ended,
}

/// The rows of a page, how many bytes they are, and the row to go on at.
pub(super) struct Measured {
    rows: VecDeque<Range<u32>>,
    bytes: usize,
    /// Where the next page begins.
    pub(super) next: Option<u32>,
}

/// Measures the first `most` of the rows of `ranges` from `next` on, fewer where they grow beyond `bytes_max`.
pub(super) async fn measure(
    close: &Close,
    prefix: &str,
    ranges: Vec<Range<u32>>,
    next: u32,
    (most, bytes_max): (usize, usize),
) -> Measured {
    let mut measured = Measured { rows: VecDeque::new(), bytes: 0, next: None };
    let (mut scratch, mut count) = (Vec::with_capacity(MARK_BYTES), 0_usize);
    for range in ranges {
        let start = range.start.max(next);
        for row in start..range.end {
            if count >= most || measured.bytes >= bytes_max {
                measured.next = Some(row);
                if row > start {
                    measured.rows.push_back(start..row);
                }
                return measured;
            }
            let Some(view) = close.marks().row(row) else { break };
            scratch.clear();
            put_mark(prefix, view, &mut scratch);
            measured.bytes += element_bytes(scratch.len());
            count += 1;
            if count.is_multiple_of(ROWS_AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        if start < range.end {
            measured.rows.push_back(start..range.end);
        }
    }
    measured
}

impl Page {
    /// A page of measured rows; `token` is empty on the last.
    ///
    /// # Errors
    /// A page that is longer than a message can be, which none is.
    pub(super) fn new(
        close: Arc<Close>,
        prefix: String,
        measured: Measured,
        token: String,
    ) -> Result<Self, std::num::TryFromIntError> {
        let after = if token.is_empty() { 0 } else { element_bytes(token.len()) };
        let bytes = u32::try_from(measured.bytes + after)?;
        Ok(Self { close, prefix, rows: measured.rows, token, bytes, state: State::Head })
    }

    fn piece(&mut self) -> Option<Bytes> {
        let mut out = BytesMut::with_capacity(PIECE_BYTES + MARK_BYTES);
        if self.state == State::Head {
            // gRPC's five bytes before a message: not compressed, and its length.
            out.put_u8(0);
            out.put_u32(self.bytes);
            self.state = State::Rows;
        }
        let mut scratch = Vec::with_capacity(MARK_BYTES);
        while out.len() < PIECE_BYTES {
            let Some(range) = self.rows.front_mut() else {
                if !self.token.is_empty() {
                    put_element(TOKEN_FIELD, self.token.as_bytes(), &mut out);
                    self.token.clear();
                }
                break;
            };
            match range.next() {
                Some(row) => put_row(&self.close, row, &self.prefix, &mut scratch, &mut out),
                None => drop(self.rows.pop_front()),
            }
        }
        (!out.is_empty()).then(|| out.freeze())
    }
}

impl http_body::Body for Page {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.state == State::Ended {
            return Poll::Ready(None);
        }
        let frame = self.piece().map_or_else(
            || {
                self.state = State::Ended;
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
                Frame::trailers(trailers)
            },
            Frame::data,
        );
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended
    }
}
