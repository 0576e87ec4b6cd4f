//! The nightly files as FIXML 5.0 SP2.
//!
//! Prices are `MktDataFull` messages whose entry of type 6 is the settlement price; arrays are `SecDef` messages whose
//! `InstrmtExt` carries the ten points as attributes of free text (type 99), because FIX has no field for them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};

use super::cells::{attribute, decimal, number, share};
use super::{Stamp, Trouble, cfi};
use crate::date;
use crate::publication::read::{NightlyRow, RiskArrayRow, scan_marks};

const NAMESPACE: &str = "http://www.fixprotocol.org/FIXML-5-0-SP2";

fn open(stamp: &Stamp, out: &mut dyn Write) -> Result<(), Trouble> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<FIXML xmlns=\"{NAMESPACE}\" v=\"5.0 SP2\">")?;
    writeln!(out, "<Batch ID=\"{}\">", attribute(&stamp.run_id))?;
    Ok(())
}

fn close(out: &mut dyn Write) -> Result<(), Trouble> {
    writeln!(out, "</Batch>\n</FIXML>")?;
    Ok(())
}

pub(super) fn prices(folder: &Path, stamp: &Stamp, out: &mut dyn Write) -> Result<u64, Trouble> {
    open(stamp, out)?;
    let mut rows = 0_u64;
    scan_marks(folder, |row| {
        let Some(mark) = row.mark else { return Ok(()) };
        rows += 1;
        writeln!(out, "<MktDataFull RptID=\"{rows}\" BizDt=\"{}\">", stamp.market_date)?;
        instrument(row, out)?;
        write!(out, "<InstrmtExt>{}", text("settlement", row.settlement.as_str()))?;
        if row.delta.is_some_and(f64::is_finite) {
            write!(out, "{}", text("delta", &number(row.delta)))?;
        }
        writeln!(out, "</InstrmtExt>")?;
        let currency = attribute(row.currency);
        let price = row.underlying_price.map_or(String::new(), |p| format!(" Px=\"{}\"", decimal(p)));
        writeln!(out, "<Undly Sym=\"{}\"{price} Ccy=\"{currency}\"/>", attribute(row.underlying))?;
        writeln!(out, "<Full Typ=\"6\" Px=\"{}\" Ccy=\"{currency}\"/>", decimal(mark))?;
        writeln!(out, "</MktDataFull>")?;
        Ok::<(), Trouble>(())
    })?;
    close(out)?;
    Ok(rows)
}

pub(super) fn risk_arrays(
    folder: &Path,
    stamp: &Stamp,
    arrays: &BTreeMap<&str, &RiskArrayRow>,
    out: &mut dyn Write,
) -> Result<u64, Trouble> {
    open(stamp, out)?;
    let mut rows = 0_u64;
    scan_marks(folder, |row| {
        let Some(array) = arrays.get(row.osi_symbol) else { return Ok(()) };
        rows += 1;
        writeln!(out, "<SecDef RptID=\"{rows}\" BizDt=\"{}\" Ccy=\"{}\">", stamp.market_date, attribute(row.currency))?;
        instrument(row, out)?;
        write!(out, "<InstrmtExt>")?;
        let fixed = [
            ("settlement", row.settlement.as_str().to_owned()),
            ("margin_group", array.margin_group.as_str().to_owned()),
            ("range_down", share(array.range_down)),
            ("range_up", share(array.range_up)),
            ("minimum_charge", decimal(array.minimum_charge)),
            ("mark", decimal(array.mark)),
        ];
        for (name, value) in fixed {
            write!(out, "{}", text(name, &value))?;
        }
        for (place, point) in array.points.iter().enumerate() {
            write!(out, "{}", text(&format!("point_{}", place + 1), &decimal(*point)))?;
        }
        if array.implied_volatility.is_some() {
            write!(out, "{}", text("implied_volatility", &number(array.implied_volatility)))?;
        }
        writeln!(out, "</InstrmtExt>")?;
        let price = row.underlying_price.map_or(String::new(), |p| format!(" Px=\"{}\"", decimal(p)));
        writeln!(out, "<Undly Sym=\"{}\"{price}/>", attribute(row.underlying))?;
        writeln!(out, "</SecDef>")?;
        Ok::<(), Trouble>(())
    })?;
    close(out)?;
    Ok(rows)
}

/// An attribute of the instrument in free text.
fn text(name: &str, value: &str) -> String {
    format!("<Attrb Typ=\"99\" Val=\"{name}={value}\"/>")
}

/// The series: FIX's `Instrument` block.
fn instrument(row: &NightlyRow<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let expiration = date::to_text(row.expiration);
    let put_or_call = if row.option_type == OptionType::Call { 1 } else { 0 };
    let style = if row.exercise_style == ExerciseStyle::American { 1 } else { 0 };
    let delivery = if row.exercise_style == ExerciseStyle::American { 'P' } else { 'C' };
    writeln!(
        out,
        "<Instrmt Sym=\"{}\" ID=\"{}\" Src=\"8\" CFI=\"{}\" SecTyp=\"OPT\" MMY=\"{}\" MatDt=\"{expiration}\" \
         StrkPx=\"{}\" StrkCcy=\"{}\" Mult=\"{}\" PutCall=\"{put_or_call}\" ExerStyle=\"{style}\" \
         SettlMeth=\"{delivery}\"/>",
        attribute(row.root),
        attribute(row.osi_symbol),
        cfi::code(row),
        expiration.replace('-', ""),
        decimal(row.strike),
        attribute(row.currency),
        row.multiplier,
    )?;
    Ok(())
}
