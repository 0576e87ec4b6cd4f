//! `closemark override` and `closemark finalize`: what people decide about a close.
//!
//! Through the service the roles apply, an override takes a second person, and everything is in the audit. On a bare
//! folder there is nobody to ask, so that the operator's name and reason are demanded and recorded.

mod folder;
#[cfg(feature = "serve")]
mod remote;

use anyhow::bail;

use crate::cli::{FinalizeArguments, OverrideArguments, ServiceArguments};
use crate::exit::Exit;
use crate::output;

/// Where the decision is taken.
enum Place<'a> {
    Folder(&'a str),
    #[cfg(feature = "serve")]
    Service(&'a str),
}

fn place<'a>(service: &'a ServiceArguments, operator: Option<&'a str>) -> anyhow::Result<Place<'a>> {
    match (&service.server, operator) {
        (Some(_), Some(_)) => bail!("--operator is for a bare folder; the service knows who calls"),
        #[cfg(feature = "serve")]
        (Some(server), None) => Ok(Place::Service(server)),
        #[cfg(not(feature = "serve"))]
        (Some(_), None) => bail!("this program was built without the service"),
        (None, Some(operator)) if operator.trim().is_empty() || operator.chars().any(char::is_control) => {
            bail!("--operator is {operator:?}; allowed is a person's name on one line")
        }
        (None, Some(operator)) => Ok(Place::Folder(operator)),
        (None, None) => bail!("on a bare folder --operator NAME is needed; with --server the service decides by role"),
    }
}

/// A reason on one line.
fn reason(text: &str) -> anyhow::Result<&str> {
    let plain = !text.chars().any(char::is_control) && !text.trim().is_empty() && text.len() <= 1000;
    anyhow::ensure!(plain, "--reason is 1 to 1,000 bytes on one line");
    Ok(text)
}

/// Makes a preliminary close final.
pub(crate) fn finalize(arguments: &FinalizeArguments) -> anyhow::Result<Exit> {
    reason(&arguments.reason)?;
    let said = match place(&arguments.service, arguments.operator.as_deref())? {
        Place::Folder(operator) => folder::finalize(arguments, operator)?,
        #[cfg(feature = "serve")]
        Place::Service(server) => remote::finalize(arguments, server)?,
    };
    output::print(&said)?;
    Ok(Exit::Done)
}

/// Proposes, approves or rejects a mark; on a bare folder, closes again with it.
pub(crate) fn override_mark(arguments: &OverrideArguments) -> anyhow::Result<Exit> {
    reason(&arguments.reason)?;
    match place(&arguments.service, arguments.operator.as_deref())? {
        Place::Folder(operator) => folder::override_mark(arguments, operator),
        #[cfg(feature = "serve")]
        Place::Service(server) => {
            output::print(&remote::override_mark(arguments, server)?)?;
            Ok(Exit::Done)
        }
    }
}
