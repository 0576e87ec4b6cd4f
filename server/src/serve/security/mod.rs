//! Who may do what, from where, and how much of it.
//!
//! Every request passes the [`guard`] before any handler: it admits the call, finds the [`Caller`] and checks the role
//! that the path needs. A handler that needs to know who calls asks [`Caller::of`].

mod access;
mod address;
mod admission;
mod caller;
mod guard;
mod origin;
mod patience;
mod pieces;
mod role;
pub(crate) mod tls;
pub(crate) mod token;

pub(crate) use address::AddressRange;
pub(crate) use admission::{Admission, Connection};
pub(crate) use caller::{Access, Caller};
pub(crate) use guard::GuardLayer;
pub(crate) use role::Role;
