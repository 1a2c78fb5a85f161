//! The faults that the connection itself answers, before or instead of a handler.

use jsonrpsee::types::ErrorObjectOwned;

pub const PARSE_ERROR: i32 = -32700;
pub const INVALID_REQUEST: i32 = -32600;
pub const METHOD_NOT_FOUND: i32 = -32601;
pub const INVALID_PARAMS: i32 = -32602;
pub const INTERNAL_ERROR: i32 = -32603;
pub const OVERLOADED: i32 = -32001;
pub const CANCELLED: i32 = -32800;
pub const SHUTTING_DOWN: i32 = -32802;

pub type RpcError = ErrorObjectOwned;

/// Which fault; the service turns it into the error object that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    NotJson(String),
    NotUtf8,
    /// What follows cannot be read: the connection ends.
    BrokenHeader(String),
    TooLong {
        limit: usize,
    },
    TooDeep {
        limit: usize,
    },
    InvalidRequest(String),
    BadParams(String),
    UnknownMethod(String),
    Overloaded {
        limit: usize,
    },
    Cancelled,
    ShuttingDown,
    Panicked {
        method: String,
    },
}

impl Reason {
    pub fn code(&self) -> i32 {
        match self {
            Self::NotJson(_) | Self::NotUtf8 | Self::BrokenHeader(_) => PARSE_ERROR,
            Self::TooLong { .. } | Self::TooDeep { .. } | Self::InvalidRequest(_) => INVALID_REQUEST,
            Self::BadParams(_) => INVALID_PARAMS,
            Self::UnknownMethod(_) => METHOD_NOT_FOUND,
            Self::Overloaded { .. } => OVERLOADED,
            Self::Cancelled => CANCELLED,
            Self::ShuttingDown => SHUTTING_DOWN,
            Self::Panicked { .. } => INTERNAL_ERROR,
        }
    }
}
