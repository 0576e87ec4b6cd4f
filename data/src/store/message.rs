//! Arrow IPC messages: the bytes that travel, and the arrays that read them in place.

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::{
    DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteContext, IpcWriteOptions, write_message,
};
use bytes::Bytes;

/// One encapsulated IPC message: continuation mark, length, metadata, body.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Bytes,
    body_at: usize,
}

/// Continuation mark and length before the metadata.
const PREFIX: usize = 8;

impl Message {
    fn new(encoded: EncodedData, options: &IpcWriteOptions) -> Result<Self, ArrowError> {
        let mut bytes = Vec::with_capacity(encoded.ipc_message.len() + encoded.arrow_data.len() + 2 * 64 + PREFIX);
        let (metadata, _) = write_message(&mut bytes, encoded, options)?;
        bytes.shrink_to_fit();
        let bytes = Bytes::from(bytes);
        // The length that was written counts the prefix.
        let body_at = metadata.clamp(PREFIX.min(bytes.len()), bytes.len());
        Ok(Self { bytes, body_at })
    }

    /// The message of a schema.
    pub(crate) fn of_schema(schema: &SchemaRef) -> Result<Self, ArrowError> {
        let mut tracker = DictionaryTracker::new(false);
        let options = IpcWriteOptions::default();
        let generator = IpcDataGenerator::default();
        Self::new(generator.schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options), &options)
    }

    /// The metadata: a flatbuffer `Message`, padded.
    pub fn header(&self) -> Bytes {
        self.bytes.slice(PREFIX.min(self.body_at)..self.body_at)
    }

    /// The buffers.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.body_at..)
    }

    /// The whole message as a stream or file holds it.
    pub fn encapsulated(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Bytes of the whole message.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The same bytes as a buffer that arrays may point into.
    pub(crate) fn buffer(&self) -> Buffer {
        Buffer::from(self.bytes.clone())
    }
}

/// Encodes batches that share their dictionaries.
pub(crate) struct Encoder {
    generator: IpcDataGenerator,
    tracker: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
    schema: Message,
}

impl Encoder {
    /// An encoder for batches of the schema of `batch`.
    pub(crate) fn new(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let generator = IpcDataGenerator::default();
        let options = IpcWriteOptions::default();
        let mut tracker = DictionaryTracker::new(false);
        let encoded =
            generator.schema_to_bytes_with_dictionary_tracker(batch.schema_ref().as_ref(), &mut tracker, &options);
        let schema = Message::new(encoded, &options)?;
        Ok(Self { generator, tracker, options, context: IpcWriteContext::default(), schema })
    }

    /// The schema's message.
    pub(crate) fn schema(&self) -> &Message {
        &self.schema
    }

    /// The batch, and before it those of its dictionaries that were not encoded yet.
    pub(crate) fn encode(&mut self, batch: &RecordBatch) -> Result<(Vec<Message>, Message), ArrowError> {
        let (dictionaries, encoded) =
            self.generator.encode(batch, &mut self.tracker, &self.options, &mut self.context)?;
        let dictionaries: Result<Vec<Message>, ArrowError> =
            dictionaries.into_iter().map(|encoded| Message::new(encoded, &self.options)).collect();
        Ok((dictionaries?, Message::new(encoded, &self.options)?))
    }
}
