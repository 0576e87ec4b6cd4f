//! A body handed on in pieces, so that who asks for little does not wait for who asks for much.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

/// A larger piece of an answer is handed on in several, so that what waits for a slow client is what HTTP/2 lets it have,
/// and the call counts as running until the last of it is gone.
const PIECE_BYTES: usize = 64 << 10;
/// After a piece of this size other calls have their turn.
const TURN_BYTES: usize = 16 << 10;

/// The same bytes and trailers as the body within, no data frame larger than a piece.
pub(super) struct Pieces {
    body: Body,
    /// What is left of a large frame.
    rest: Bytes,
    /// Whether others are to have their turn first.
    turn_over: bool,
}

impl Pieces {
    pub(super) fn new(body: Body) -> Self {
        Self { body, rest: Bytes::new(), turn_over: false }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if std::mem::take(&mut self.turn_over) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return Poll::Ready(other),
            }
        }
        let bytes = self.rest.len().min(PIECE_BYTES);
        self.turn_over = bytes >= TURN_BYTES;
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use http::{HeaderMap, HeaderValue};
    use http_body::Body as _;

    use super::*;

    /// Frames as a handler makes them.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    #[test]
    fn pieces_are_small_let_others_go_first_and_are_the_same_bytes_and_trailers() {
        let sizes = [10, 3 * PIECE_BYTES + 7, TURN_BYTES];
        let bytes = |size: usize| (0..size).map(|at| (at % 251) as u8).collect::<Vec<_>>();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let frames = sizes.iter().map(|&size| Frame::data(Bytes::from(bytes(size))));
        let frames = frames.chain([Frame::trailers(trailers.clone())]).collect();
        let mut pieces = Pieces::new(Body::new(Frames(frames)));

        let mut context = Context::from_waker(Waker::noop());
        let (mut seen, mut turns, mut last) = (Vec::new(), 0, None);
        while !pieces.is_end_stream() {
            match Pin::new(&mut pieces).poll_frame(&mut context) {
                Poll::Pending => turns += 1,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        assert!(data.len() <= PIECE_BYTES);
                        seen.extend_from_slice(&data);
                    }
                    Err(frame) => last = frame.into_trailers().ok(),
                },
                Poll::Ready(other) => panic!("{other:?}"),
            }
        }
        assert!(seen == sizes.into_iter().flat_map(bytes).collect::<Vec<_>>());
        assert_eq!(last, Some(trailers));
        // After each whole piece and after the last frame, which is as large as one; not after the small ones.
        assert_eq!(turns, 4);
    }
}
