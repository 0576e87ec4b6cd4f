//! The service as its users meet it: the real binary on loopback, ports chosen by the operating system.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may unwrap as tests do")]

#[path = "../page/browser.rs"]
mod browser;
mod closes;
mod ingest;
mod limits;
mod overrides;
mod page;
mod reflection;
mod sample;
mod security;
mod support;
