//! The real chains, as input folders.
