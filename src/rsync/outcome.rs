//! stub
#![allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Done,
    Partial,
    Unreachable,
    Refused,
    SourceGone,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub code: i32,
}
impl Ended {
    pub fn success() -> Ended {
        Ended { code: 0 }
    }
    pub fn class(&self) -> Class {
        match self.code {
            0 | 24 => Class::Done,
            23 => Class::Partial,
            _ => Class::Unreachable,
        }
    }
    pub fn combined_unsupported(&self) -> bool {
        matches!(self.code, 1 | 2 | 4 | 10 | 12)
    }
    pub fn reason(&self) -> String {
        format!("{}", self.code)
    }
}
