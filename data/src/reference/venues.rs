//! Venues by MIC, by OPRA's letter and by name, with the dates between which they trade.

use closemark_pricing::series::Date;

use super::{ReferenceError, rows};
use crate::date;

const VENUES: &str = include_str!("../../reference/venues.csv");

/// The venue word of a consolidated source.
pub const NBBO: &str = "NBBO";

/// One venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// Market identifier code, ISO 10383.
    pub mic: String,
    /// The participant letter of the Options Price Reporting Authority.
    pub opra: Option<String>,
    /// Name.
    pub name: String,
    /// First day of trading.
    pub effective_from: Date,
    /// Last day of trading, where there was one.
    pub effective_to: Option<Date>,
}

/// The venues that trade on one day, ascending MIC.
#[derive(Clone, Debug)]
pub struct VenueTable {
    venues: Vec<Venue>,
}

impl VenueTable {
    /// The venues of the project's table that trade on a day, the consolidated source among them.
    ///
    /// # Errors
    /// [`ReferenceError`] where the project's own data file is damaged.
    pub fn on(day: Date) -> Result<Self, ReferenceError> {
        let mut venues = all()?;
        venues.retain(|v| v.effective_from <= day && v.effective_to.is_none_or(|last| day <= last));
        venues.sort_by(|a, b| a.mic.cmp(&b.mic));
        Ok(Self { venues })
    }

    /// The place of a venue given by MIC, by OPRA letter or by name.
    pub fn find(&self, text: &str) -> Option<u16> {
        let place = self.venues.iter().position(|v| v.mic == text || v.opra.as_deref() == Some(text) || v.name == text);
        place.and_then(|index| u16::try_from(index).ok())
    }

    /// The venues, ascending MIC.
    pub fn venues(&self) -> &[Venue] {
        &self.venues
    }
}

fn all() -> Result<Vec<Venue>, ReferenceError> {
    let file = "venues.csv";
    let mut venues = Vec::new();
    for item in rows(file, VENUES) {
        let (row, record) = item?;
        let field = |place: usize| record.get(place).unwrap_or_default();
        let day = |place: usize, column: &'static str| {
            date::parse(field(place)).ok_or_else(|| ReferenceError {
                file,
                row,
                column,
                value: field(place).to_owned(),
                allowed: "YYYY-MM-DD",
            })
        };
        venues.push(Venue {
            mic: field(0).to_owned(),
            opra: Some(field(1)).filter(|letter| !letter.is_empty()).map(str::to_owned),
            name: field(2).to_owned(),
            effective_from: day(3, "effective_from")?,
            effective_to: if field(4).is_empty() { None } else { Some(day(4, "effective_to")?) },
        });
    }
    Ok(venues)
}

#[cfg(test)]
mod tests {
    use super::VenueTable;
    use crate::date;

    #[test]
    fn venues_by_mic_letter_and_name_in_order_and_in_time() {
        let today = VenueTable::on(date::parse("2026-11-20").unwrap()).unwrap();
        // 18 exchanges and the consolidated source.
        assert_eq!(today.venues().len(), 19);
        assert!(today.venues().windows(2).all(|pair| pair[0].mic < pair[1].mic));
        assert_eq!(today.find("XCBO"), today.find("C"));
        assert_eq!(today.find("Cboe Options Exchange"), today.find("C"));
        assert!(today.find("NBBO").is_some() && today.find("XZZZ").is_none() && today.find("").is_none());
        // MIAX Sapphire opened in August 2024.
        assert!(VenueTable::on(date::parse("2024-08-09").unwrap()).unwrap().find("SPHR").is_none());
    }
}
