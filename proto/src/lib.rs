//! `closemark.v1`: the wire messages and services, generated from `proto/closemark/v1/*.proto`.
//!
//! The `.proto` files are the documentation: each field says its unit and what its absence means.

/// Version 1 of the interface.
pub mod v1 {
    tonic::include_proto!("closemark.v1");
}

/// The encoded `google.protobuf.FileDescriptorSet` of `closemark.v1`, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/closemark_v1.binpb"));

/// The files of `closemark.v1`, without their ending.
pub const FILES: [&str; 7] = include!("../files.rs");

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::v1::{Decimal, Mark};

    #[test]
    fn prices_travel_as_millionths() {
        let mark = Mark { mark: Some(Decimal { micros: 1_234_567 }), multiplier: 100, ..Mark::default() };
        let back = Mark::decode(mark.encode_to_vec().as_slice()).unwrap();
        assert_eq!(back.mark.map(|price| price.micros), Some(1_234_567));
        assert_eq!(back.bid, None);
    }
}
