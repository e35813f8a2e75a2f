//! From changes to jobs: what each remote is owed, when its next job leaves, and what the end of one means.
//!
//! Knows paths and times, and no watch, descriptor or event.

pub mod arrivals;
pub mod backoff;
pub mod bulk;
pub mod flight;
pub mod next;
pub mod pending;
pub mod remote;
pub mod schedule;
pub mod standing;
