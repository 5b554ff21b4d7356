//! Who a PLC says it is, and how it is guarded: what its system status lists tell. Plain values, read with the configuration.

use serde::{Deserialize, Serialize};

/// Longest names, as the lists have room for them.
pub const NAME_BYTES_MAX: usize = 32;
/// Bytes of an order code in a list.
pub const ORDER_CODE_BYTES_MAX: usize = 20;

/// What the lists of identification say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// The order code (MLFB), such as `6ES7 315-2EH14-0AB0`.
    pub order_code: String,
    /// The firmware's version.
    pub firmware: [u8; 3],
    /// The name of the station.
    pub station: String,
    /// The name of the module.
    pub module: String,
    /// The type of the module, such as `CPU 315-2 PN/DP`.
    pub module_type: String,
    /// The serial number.
    pub serial: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            order_code: "6ES7 315-2EH14-0AB0".to_owned(),
            firmware: [3, 2, 6],
            station: "s7-sim".to_owned(),
            module: "CPU 315-2 PN/DP".to_owned(),
            module_type: "CPU 315-2 PN/DP".to_owned(),
            serial: "S C-SIM000000001".to_owned(),
        }
    }
}

impl Identity {
    /// Its texts, each with its field's name and the bytes there are for it.
    pub(crate) fn texts(&self) -> [(&'static str, &str, usize); 5] {
        [
            ("identity.order_code", &self.order_code, ORDER_CODE_BYTES_MAX),
            ("identity.station", &self.station, NAME_BYTES_MAX),
            ("identity.module", &self.module, NAME_BYTES_MAX),
            ("identity.module_type", &self.module_type, NAME_BYTES_MAX),
            ("identity.serial", &self.serial, NAME_BYTES_MAX),
        ]
    }
}

/// A group of services that a PLC may have or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// System status lists.
    Szl,
    /// Block lists and information.
    Blocks,
    /// Upload, download and deletion of blocks.
    Transfer,
    /// Reading and setting the clock.
    Clock,
    /// The session's password.
    Security,
    /// Start, stop, and the other program invocation services.
    Control,
}

impl Service {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Szl, Self::Blocks, Self::Transfer, Self::Clock, Self::Security, Self::Control];
}

/// How far a session comes without the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everywhere (protection level 1).
    #[default]
    Full,
    /// It reads (level 2): writing, downloading, deleting and starting need the password.
    Read,
    /// Nowhere (level 3).
    None,
}

impl Access {
    /// The protection level that lists and manuals number it by.
    pub const fn level(self) -> u16 {
        match self {
            Self::Full => 1,
            Self::Read => 2,
            Self::None => 3,
        }
    }
}

/// How a PLC is guarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protection {
    /// What a session may do before it has given the password.
    pub access: Access,
    /// The password, one to eight ASCII characters; without one none can be set or cleared.
    pub password: Option<String>,
    /// Whether PUT/GET access is on. Off, read and write var are refused with 81 04, as an S7-1200 or 1500 does.
    pub put_get: bool,
}

impl Default for Protection {
    fn default() -> Self {
        Self { access: Access::Full, password: None, put_get: true }
    }
}
