//! Real-time directory mirroring with inotify and rsync.
#![deny(unsafe_code)]

pub mod banner;
pub mod cli;
pub mod config;
pub mod crontab;
pub mod engine;
pub mod event_loop;
pub mod faillog;
pub mod report;
pub mod rsync;
pub mod startup;
pub mod state;
pub mod sys;
pub mod walk;
pub mod worker;
