//! The ground moves under the program: names are exchanged, disks come and go, links lead elsewhere.

#[cfg(target_env = "gnu")]
mod exchanges;
