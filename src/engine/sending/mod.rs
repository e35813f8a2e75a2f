//! From changes to jobs: what each remote is owed, when its next job leaves, and what the end of one means.
//!
//! Knows paths and times, and no watch, descriptor or event. [`remote`] says which part owns what.

pub mod arrivals;
pub mod backoff;
pub mod bulk;
pub mod change;
pub mod departure;
pub mod extent;
pub mod far_side;
pub mod flight;
pub mod lanes;
pub mod licence;
pub mod next;
pub mod owed;
pub mod pace;
pub mod pending;
pub mod remote;
pub mod schedule;
pub mod second_look;
pub mod settings;
pub mod standing;
pub mod stuck;
pub mod sweep;
pub mod trust;
