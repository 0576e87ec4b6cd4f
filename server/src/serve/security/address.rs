//! Ranges of addresses, as `10.1.0.0/16` or `2001:db8::/32`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct AddressRange {
    network: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Whether an address is in the range. An IPv4 address that arrived on an IPv6 socket is the IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (own, other) = (self.network.to_canonical(), address.to_canonical());
        match (own, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                prefix(u128::from(a.to_bits()) << 96, self.bits) == prefix(u128::from(b.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => prefix(a.to_bits(), self.bits) == prefix(b.to_bits(), self.bits),
            _ => false,
        }
    }
}

fn prefix(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(length))).unwrap_or(0)
}

/// Text that is no range.
#[derive(Debug)]
pub(crate) struct NoRange(String);

impl fmt::Display for NoRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no address range; allowed is 10.1.0.0/16, 192.0.2.7 or 2001:db8::/32", self.0)
    }
}

impl FromStr for AddressRange {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<Self, NoRange> {
        let refused = || NoRange(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let network: IpAddr = address.parse().map_err(|_| refused())?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width).ok_or_else(refused)?,
        };
        Ok(Self { network, bits })
    }
}

impl TryFrom<String> for AddressRange {
    type Error = NoRange;

    fn try_from(text: String) -> Result<Self, NoRange> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::AddressRange;

    #[test]
    fn ranges_hold_their_addresses_and_no_others() {
        for (range, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.255.255.255", "::2"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "128.0.0.1"),
            ("::1/128", "::1", "::"),
        ] {
            let range: AddressRange = range.parse().unwrap();
            assert!(range.contains(inside.parse::<IpAddr>().unwrap()), "{inside}");
            assert!(!range.contains(outside.parse::<IpAddr>().unwrap()), "{outside}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0.0/-1", "x/8", "::/129", "10.0.0.0/8/8"] {
            assert!(bad.parse::<AddressRange>().is_err(), "{bad}");
        }
    }
}
