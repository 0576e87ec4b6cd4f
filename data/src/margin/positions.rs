//! Positions as a CSV: `account`, `osi_symbol` or `underlying`, `quantity`.

use std::fmt;

/// Positions of one file at most.
const ROWS_MAX: usize = 10_000_000;
/// The largest quantity, either way.
const QUANTITY_MAX: i64 = 1_000_000_000;
const MICROS: i64 = 1_000_000;

/// How many contracts or shares, in millionths; short is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(pub i64);

impl Quantity {
    /// A decimal of at most six places and [`QUANTITY_MAX`].
    fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !(plain(whole) && plain(decimals)) || whole.len() + decimals.len() == 0 || decimals.len() > 6 {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part: i64 = format!("{decimals:0<6}").parse().ok()?;
        let micros = whole.checked_mul(MICROS)?.checked_add(part)?;
        (micros <= QUANTITY_MAX * MICROS).then_some(Self(sign * micros))
    }

    /// Whether there is no fraction.
    pub fn is_whole(self) -> bool {
        self.0 % MICROS == 0
    }

    /// Its size, in millionths.
    pub fn size(self) -> i64 {
        self.0.saturating_abs()
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.size() / MICROS, self.size() % MICROS);
        let text = format!("{sign}{whole}.{part:06}");
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instrument {
    /// A listed series, by its symbol.
    Series(String),
    /// Shares of an underlying.
    Underlying(String),
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line that the row begins on, the header's being 1.
    pub row: u64,
    /// Whose.
    pub account: String,
    /// What.
    pub instrument: Instrument,
    /// How much.
    pub quantity: Quantity,
}

/// What is wrong with one row, or with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionFault {
    /// The line that the row begins on, the header's being 1.
    pub row: u64,
    /// The column.
    pub column: &'static str,
    /// What stands there.
    pub value: String,
    /// What may.
    pub allowed: String,
}

impl fmt::Display for PositionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean: String = self.value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(60).collect();
        write!(f, "row {}, column {}: {clean:?}; allowed is {}", self.row, self.column, self.allowed)
    }
}

const ALLOWED_COLUMNS: &str =
    "a header with account, quantity, and osi_symbol or underlying (one of them filled in each row)";

struct Header {
    fields: usize,
    account: usize,
    quantity: usize,
    series: Option<usize>,
    underlying: Option<usize>,
}

/// Reads positions from the bytes of a CSV. Every row that is wrong is a fault; rows of zero are read as they are.
///
/// # Errors
/// All faults, in the file's order.
pub fn read_positions(bytes: &[u8]) -> Result<Vec<Position>, Vec<PositionFault>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::Headers).from_reader(bytes);
    let header = header(&mut reader)?;
    let (mut positions, mut faults) = (Vec::new(), Vec::new());
    let mut record = csv::StringRecord::new();
    loop {
        let read = reader.read_record(&mut record);
        let row = record.position().map_or(1, csv::Position::line);
        match read {
            Ok(false) => break,
            Ok(true) if positions.len() >= ROWS_MAX => {
                faults.push(fault(row, "account", "", &format!("a file of at most {ROWS_MAX} rows")));
                break;
            }
            // A line of commas between blocks of rows says nothing.
            Ok(true) if record.iter().all(|field| field.trim().is_empty()) => {}
            Ok(true) => match position(&record, &header, row) {
                // A thousands separator would otherwise end a quantity early.
                Ok(_) if record.len() > header.fields => {
                    let text = record.iter().collect::<Vec<_>>().join(",");
                    faults.push(fault(row, "quantity", &text, &format!("{} fields, as the header has", header.fields)));
                }
                Ok(position) => positions.push(position),
                Err(fault) => faults.push(fault),
            },
            Err(error) => {
                let row = error.position().map_or(row, csv::Position::line);
                faults.push(fault(row, "account", &error.to_string(), "a row of UTF-8 text"));
                if matches!(error.kind(), csv::ErrorKind::Io(_)) {
                    break;
                }
            }
        }
    }
    if faults.is_empty() { Ok(positions) } else { Err(faults) }
}

fn fault(row: u64, column: &'static str, value: &str, allowed: &str) -> PositionFault {
    PositionFault { row, column, value: value.to_owned(), allowed: allowed.to_owned() }
}

fn header(reader: &mut csv::Reader<&[u8]>) -> Result<Header, Vec<PositionFault>> {
    let names = reader.headers().map_err(|error| vec![fault(1, "account", &error.to_string(), ALLOWED_COLUMNS)])?;
    let place = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let text = names.iter().collect::<Vec<_>>().join(",");
    let need = |column: &'static str| place(column).ok_or_else(|| vec![fault(1, column, &text, ALLOWED_COLUMNS)]);
    for wanted in ["account", "quantity", "osi_symbol", "underlying"] {
        if names.iter().filter(|name| name.eq_ignore_ascii_case(wanted)).count() > 1 {
            return Err(vec![fault(1, wanted, &text, "a header that names each column once")]);
        }
    }
    let header = Header {
        fields: names.len(),
        account: need("account")?,
        quantity: need("quantity")?,
        series: place("osi_symbol"),
        underlying: place("underlying"),
    };
    if header.series.is_none() && header.underlying.is_none() {
        return Err(vec![fault(1, "osi_symbol", &text, ALLOWED_COLUMNS)]);
    }
    Ok(header)
}

fn position(record: &csv::StringRecord, header: &Header, row: u64) -> Result<Position, PositionFault> {
    let field = |place: Option<usize>| place.and_then(|p| record.get(p)).unwrap_or_default();
    let account = field(Some(header.account)).trim();
    if account.is_empty() || account.len() > 64 {
        return Err(fault(row, "account", account, "a name of 1 to 64 bytes"));
    }
    let (series, underlying) = (field(header.series).trim(), field(header.underlying).trim());
    let instrument = match (series.is_empty(), underlying.is_empty()) {
        (false, true) => Instrument::Series(padded(series)),
        (true, false) => Instrument::Underlying(underlying.to_owned()),
        (true, true) => return Err(fault(row, "osi_symbol", "", "a symbol here or in underlying")),
        (false, false) => return Err(fault(row, "underlying", underlying, "nothing where osi_symbol is filled")),
    };
    let text = field(Some(header.quantity)).trim();
    let whole_only = matches!(instrument, Instrument::Series(_));
    let quantity = Quantity::parse(text).filter(|q| !whole_only || q.is_whole());
    let allowed = if whole_only {
        "a whole number of contracts from -1000000000 to 1000000000"
    } else {
        "a number of shares from -1000000000 to 1000000000 with at most six decimals"
    };
    let quantity = quantity.ok_or_else(|| fault(row, "quantity", text, allowed))?;
    Ok(Position { row, account: account.to_owned(), instrument, quantity })
}

/// The 21-character form of an OSI symbol that came without its padding; anything else as it is.
fn padded(symbol: &str) -> String {
    let canonical = crate::osi::decode(symbol.as_bytes()).ok().and_then(|decoded| decoded.canonical());
    canonical.unwrap_or_else(|| symbol.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Instrument, Quantity, read_positions};

    #[test]
    fn both_kinds_of_position_are_read() {
        let text = "\u{feff}account, osi_symbol ,underlying,quantity\n\
                    A,ABC   261218C00100000,,-3\n\nB,,ABC,1200.5\nA,ABC261218C00100000,,+7\n";
        let positions = read_positions(text.as_bytes()).unwrap();
        assert_eq!(positions.len(), 3);
        assert_eq!(positions[0].instrument, Instrument::Series("ABC   261218C00100000".to_owned()));
        assert_eq!(positions[2].instrument, positions[0].instrument);
        assert_eq!(positions[1].instrument, Instrument::Underlying("ABC".to_owned()));
        let quantities: Vec<String> = positions.iter().map(|p| p.quantity.to_string()).collect();
        assert_eq!(quantities, ["-3", "1200.5", "7"]);
    }

    #[test]
    fn each_wrong_row_is_one_line_with_row_column_value_and_what_is_allowed() {
        let text = "account,osi_symbol,underlying,quantity\nA,X,,1.5\n,X,,1\nA,,,1\nA,X,Y,1\nA,,Y,1e3\nA,X,,\"1\n2\"\n";
        let faults: Vec<String> =
            read_positions(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 6);
        for (line, wanted) in faults.iter().zip([
            "row 2, column quantity: \"1.5\"; allowed is a whole number of contracts",
            "row 3, column account: \"\"; allowed is a name",
            "row 4, column osi_symbol: \"\"; allowed is a symbol",
            "row 5, column underlying: \"Y\"; allowed is nothing",
            "row 6, column quantity: \"1e3\"; allowed is a number of shares",
            "row 7, column quantity: \"1 2\"; allowed is",
        ]) {
            assert!(line.starts_with(wanted), "{line}");
        }
        let separated = read_positions(b"account,osi_symbol,quantity\nA,X,1,200\nA,X,1\n").unwrap_err();
        assert_eq!(separated.len(), 1);
        assert!(separated[0].to_string().starts_with("row 2, column quantity: \"A,X,1,200\"; allowed is 3 fields"));
        let doubled = read_positions(b"account,underlying,quantity,Quantity\nA,X,1,2\n").unwrap_err();
        assert_eq!(doubled[0].column, "quantity");
        for (bad, column) in
            [("", "account"), ("account,quantity\n", "osi_symbol"), ("account,underlying\n", "quantity")]
        {
            assert_eq!(read_positions(bad.as_bytes()).unwrap_err()[0].column, column, "{bad:?}");
        }
    }

    #[test]
    fn bytes_of_any_kind_are_faults_or_positions() {
        for bytes in [&b"account,osi_symbol,quantity\n\xff\xfe,b,1\nA,B,1\n"[..], b"\xff", b"account,\"", b"\0\0,\0"] {
            let _ = read_positions(bytes);
        }
        assert_eq!(Quantity::parse("1000000001"), None);
        assert_eq!(Quantity::parse("-"), None);
        assert_eq!(Quantity::parse(".5"), Some(Quantity(500_000)));
    }
}
