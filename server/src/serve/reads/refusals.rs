//! What readers are told when the store cannot give what they ask for.

use std::time::Duration;

use closemark_data::date;
use closemark_data::store::StoreError;
use tonic::{Code, Status};

use crate::serve::errors;

/// When to come again for a close that has no room in memory now.
const RETRY: Duration = Duration::from_secs(1);

/// Too many closes are being read, or held, at once.
pub(crate) fn busy(message: &str) -> Status {
    errors::exhausted("limits.closes_memory_mebibytes", message, RETRY)
}

/// A token that this service did not make, or not for this request.
pub(crate) fn forged(field: &str, token: &str) -> Status {
    errors::bad_field(field, token, "a token that the last answer to the same request gave")
}

/// What the store said, with the thing that is missing as a resource. Paths stay in the log.
pub(crate) fn store(error: &StoreError) -> Status {
    match error {
        StoreError::NoClose { date: day } => {
            errors::not_found("closemark.v1.Close", &format!("dates/{}", date::to_text(*day)))
        }
        StoreError::NoRun { date: day, run } => {
            errors::not_found("closemark.v1.Close", &format!("dates/{}/runs/{run}", date::to_text(*day)))
        }
        StoreError::NoTable { table, .. } => errors::not_found("closemark.v1.Dataset", table),
        StoreError::Busy { .. } => busy(&error.to_string()),
        // More than the whole budget: coming again does not help.
        StoreError::TooLarge { .. } => errors::too_large("limits.closes_memory_mebibytes", error.to_string()),
        StoreError::Damaged { date: day, run, detail } => {
            tracing::error!(date = %date::to_text(*day), %run, detail, "a published run is damaged");
            let name = format!("dates/{}/runs/{run}", date::to_text(*day));
            let message = "the run's files are not what its manifest says; the service's log says where";
            errors::error(Code::DataLoss, "DAMAGED", message, &[("name", name.as_str())])
        }
        other => errors::internal("reading the published folder", other),
    }
}

#[cfg(test)]
mod tests {
    use closemark_data::store::StoreError;
    use tonic_types::StatusExt;

    #[test]
    fn only_what_may_succeed_later_is_to_be_tried_again() {
        let busy = super::store(&StoreError::Busy { needed: 2, held: 2, budget: 3 });
        assert!(busy.get_error_details().retry_info().is_some());
        let large = super::store(&StoreError::TooLarge { needed: 4, budget: 3 });
        assert!(large.get_error_details().retry_info().is_none());
        assert_eq!(large.get_error_details().error_info().unwrap().reason, "TOO_LARGE");
    }
}
