//! The classification of a series: its ISO 10962 code.

use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};

use crate::publication::read::NightlyRow;

/// Six letters: option, call or put, exercise, underlying, delivery, standard or not.
///
/// A close knows European classes as index options settled in cash and American ones as options that deliver what their
/// deliverable says; `OCASPS` is a standard American call on a share, `OPEICS` a European put on an index.
///
/// # Source
/// ISO 10962:2015, category O.
pub(super) fn code(row: &NightlyRow<'_>) -> String {
    let kind = if row.option_type == OptionType::Call { 'C' } else { 'P' };
    let (style, underlying, delivery) = match row.exercise_style {
        ExerciseStyle::American => ('A', 'S', 'P'),
        ExerciseStyle::European => ('E', 'I', 'C'),
    };
    let standard = if row.is_standard() { 'S' } else { 'N' };
    format!("O{kind}{style}{underlying}{delivery}{standard}")
}
