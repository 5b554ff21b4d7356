//! What a PLC is made of: its limits, its timeouts, its data. Read from JSON, checked before anything runs.

use std::time::Duration;

use jiff::civil::{DateTime, date};
use s7_wire::BlockType;
use s7_wire::setup::{PDU_LENGTH_MAX, PDU_LENGTH_MIN};
use s7_wire::userdata::security::encode_password;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::duration;
use crate::faults::Faults;
use crate::generator::{Generator, Signal};
use crate::identity::{Identity, Protection, Service};
use crate::slots::SlotsByType;

/// Data blocks that one PLC may have.
pub const DATA_BLOCKS_MAX: usize = 4096;
/// Bytes that one data block may have.
pub const DATA_BLOCK_BYTES_MAX: usize = 65_536;
/// Connection slots that one PLC may have.
pub const SLOTS_MAX: usize = 65_536;

/// Code blocks of one type that a PLC may name.
pub const CODE_BLOCKS_MAX: usize = 4096;

/// One PLC. Every field has a default, so `{}` is a PLC: eight slots, PDU 480, AmQ 8, and two data blocks.
///
/// A model's limits come from a profile: see [`PlcConfig::from_json`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlcConfig {
    /// The name in reports and metrics.
    pub name: String,
    /// Connections that can be held at once. A slot is taken by a CR and freed when the session ends.
    pub slots: usize,
    /// Slots for PG, OP and basic connections apart; left out: `slots` is the only limit.
    pub slots_by_type: SlotsByType,
    /// What a CR gets when no slot is free.
    pub refusal: Refusal,
    /// Connections without a slot yet that are served at once; more are closed unheard.
    pub half_made_max: usize,
    /// Longest PDU that setup agrees to, 240..=960.
    pub pdu_length: u16,
    /// Most outstanding jobs that setup agrees to.
    pub amq: u16,
    /// From accept to the end of setup; a session that takes longer is closed.
    #[serde(with = "duration")]
    pub handshake_timeout: Duration,
    /// Longest time without a whole packet from the client, or with answers that it does not take; then the session is closed.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// The PLC's cycle: generators move once in it.
    #[serde(with = "duration")]
    pub scan: Duration,
    /// Where chance comes from: the same seed gives the same values at the same times.
    pub seed: u64,
    /// Bytes of the process image of the inputs (I).
    pub inputs: usize,
    /// Bytes of the process image of the outputs (Q).
    pub outputs: usize,
    /// Bytes of bit memory (M).
    pub merkers: usize,
    /// How many timers (T).
    pub timers: usize,
    /// How many counters (C).
    pub counters: usize,
    /// The data blocks.
    pub data_blocks: Vec<DataBlock>,
    /// Data blocks whose memory is broken: reading and writing them earns the code of a hardware fault.
    pub broken: Vec<u16>,
    /// The services beside variables that it has.
    pub services: Vec<Service>,
    /// The code blocks that it says it has.
    pub code_blocks: CodeBlocks,
    /// Who it says it is.
    pub identity: Identity,
    /// How it is guarded.
    pub protection: Protection,
    /// What its clock says when it is made; from there on it goes with tokio's.
    pub clock: DateTime,
    /// What is wrong with the PLC from the start.
    pub faults: Faults,
}

/// Numbers of code blocks by type: names without content, for lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodeBlocks {
    /// Organization blocks.
    pub ob: Vec<u16>,
    /// Function blocks.
    pub fb: Vec<u16>,
    /// Functions.
    pub fc: Vec<u16>,
    /// System data blocks.
    pub sdb: Vec<u16>,
    /// System functions.
    pub sfc: Vec<u16>,
    /// System function blocks.
    pub sfb: Vec<u16>,
}

impl CodeBlocks {
    /// The numbers of one type; none for data blocks, which are no code.
    pub fn of(&self, kind: BlockType) -> &[u16] {
        match kind {
            BlockType::Ob => &self.ob,
            BlockType::Fb => &self.fb,
            BlockType::Fc => &self.fc,
            BlockType::Sdb => &self.sdb,
            BlockType::Sfc => &self.sfc,
            BlockType::Sfb => &self.sfb,
            BlockType::Db | BlockType::Other(_) => &[],
        }
    }
}

/// What a client gets that is not to have a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A DR, then the end of the stream.
    Disconnect,
    /// The end of the stream.
    Close,
    /// A reset: an RST over TCP; in the library the session's end asks for it.
    Reset,
}

/// One data block: zeros, with generators at offsets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataBlock {
    /// Its number, from 1.
    pub number: u16,
    /// Its size.
    pub bytes: usize,
    /// What moves in it.
    #[serde(default)]
    pub generators: Vec<Generator>,
}

/// Why a configuration is not a PLC.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number outside its bounds.
    #[error("`{field}` must be {min}..={max}, found {found}")]
    Range {
        /// Which.
        field: &'static str,
        /// The smallest allowed.
        min: usize,
        /// The largest allowed.
        max: usize,
        /// What was written.
        found: usize,
    },
    /// A time of zero, with which nothing could ever happen.
    #[error("`{field}` must be longer than 0s")]
    Zero {
        /// Which.
        field: &'static str,
    },
    /// Two data blocks of one number.
    #[error("DB{number} stands twice in `data_blocks`: give each block a number of its own")]
    Twice {
        /// The number.
        number: u16,
    },
    /// A text that does not fit its place on the wire.
    #[error("`{field}` must be 1..={max} ASCII characters, found `{found}`")]
    Text {
        /// Which.
        field: &'static str,
        /// The most there is room for.
        max: usize,
        /// What was written.
        found: String,
    },
    /// A generator outside its block, or at a bit that does not exist.
    #[error("DB{number}, generator {index}: {reason}")]
    Generator {
        /// The block.
        number: u16,
        /// The generator, from 0.
        index: usize,
        /// What is wrong.
        reason: String,
    },
}

impl Default for PlcConfig {
    fn default() -> Self {
        Self {
            name: "plc".to_owned(),
            slots: 8,
            slots_by_type: SlotsByType::default(),
            refusal: Refusal::Disconnect,
            half_made_max: 1024,
            pdu_length: 480,
            amq: 8,
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            scan: Duration::from_millis(100),
            seed: 0,
            inputs: 128,
            outputs: 128,
            merkers: 1024,
            timers: 64,
            counters: 64,
            data_blocks: vec![
                DataBlock::moving(1),
                DataBlock { number: 2, bytes: 1024, generators: Vec::new() },
            ],
            broken: Vec::new(),
            services: Service::ALL.to_vec(),
            code_blocks: CodeBlocks { ob: vec![1], ..CodeBlocks::default() },
            identity: Identity::default(),
            protection: Protection::default(),
            clock: date(2020, 1, 1).at(0, 0, 0, 0),
            faults: Faults::default(),
        }
    }
}

impl DataBlock {
    /// A block of 1,024 bytes in which a bit of everything moves: a counting DINT at 0, a sine as REAL at 4, a random INT at 8,
    /// a random BOOL at 10.0, and the constant WORD 7 at 12.
    pub fn moving(number: u16) -> Self {
        use s7_wire::ValueType::{Bool, Dint, Int, Real, Word};
        let sine = Signal::Sine { amplitude: 10.0, period: Duration::from_secs(60), offset: 20.0 };
        let random = Signal::Random { min: 0.0, max: 100.0 };
        let generators = vec![
            Generator::new(0, Dint, Signal::Counter { start: 0, step: 1 }),
            Generator::new(4, Real, sine),
            Generator::new(8, Int, random),
            Generator::new(10, Bool, random),
            Generator::new(12, Word, Signal::Constant(7.0)),
        ];
        Self { number, bytes: 1024, generators }
    }
}

impl PlcConfig {
    /// Checks every bound; [`Plc::new`](crate::Plc::new) does so as well.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let pdu_range = (usize::from(PDU_LENGTH_MIN), usize::from(PDU_LENGTH_MAX));
        within("slots", self.slots, (1, SLOTS_MAX))?;
        for (field, slots) in self.slots_by_type.fields() {
            within(field, slots.unwrap_or(0), (0, self.slots))?;
        }
        within("half_made_max", self.half_made_max, (1, SLOTS_MAX))?;
        within("pdu_length", usize::from(self.pdu_length), pdu_range)?;
        within("amq", usize::from(self.amq), (1, usize::from(u16::MAX)))?;
        within("inputs", self.inputs, (0, DATA_BLOCK_BYTES_MAX))?;
        within("outputs", self.outputs, (0, DATA_BLOCK_BYTES_MAX))?;
        within("merkers", self.merkers, (0, DATA_BLOCK_BYTES_MAX))?;
        within("timers", self.timers, (0, DATA_BLOCK_BYTES_MAX))?;
        within("counters", self.counters, (0, DATA_BLOCK_BYTES_MAX))?;
        within("data_blocks", self.data_blocks.len(), (0, DATA_BLOCKS_MAX))?;
        within("broken", self.broken.len(), (0, DATA_BLOCKS_MAX))?;
        longer_than_zero("handshake_timeout", self.handshake_timeout)?;
        longer_than_zero("idle_timeout", self.idle_timeout)?;
        longer_than_zero("scan", self.scan)?;
        self.validate_texts()?;
        for kind in BlockType::NAMED {
            within("code_blocks", self.code_blocks.of(*kind).len(), (0, CODE_BLOCKS_MAX))?;
        }
        self.validate_blocks()
    }

    fn validate_texts(&self) -> Result<(), ConfigError> {
        let too_long = |(field, text, max): (&'static str, &str, usize)| {
            let fits = text.is_ascii() && (1..=max).contains(&text.len());
            (!fits).then(|| ConfigError::Text { field, max, found: text.to_owned() })
        };
        if let Some(error) = self.identity.texts().into_iter().find_map(too_long) {
            return Err(error);
        }
        match &self.protection.password {
            Some(password) if encode_password(password).is_none() => {
                Err(ConfigError::Text { field: "protection.password", max: 8, found: password.clone() })
            }
            _ => Ok(()),
        }
    }

    fn validate_blocks(&self) -> Result<(), ConfigError> {
        for (index, block) in self.data_blocks.iter().enumerate() {
            within("data_blocks.bytes", block.bytes, (1, DATA_BLOCK_BYTES_MAX))?;
            if self.data_blocks[..index].iter().any(|earlier| earlier.number == block.number) {
                return Err(ConfigError::Twice { number: block.number });
            }
            for (index, generator) in block.generators.iter().enumerate() {
                let checked = generator.check(block.bytes);
                checked.map_err(|reason| ConfigError::Generator { number: block.number, index, reason })?;
            }
        }
        Ok(())
    }
}

fn within(field: &'static str, found: usize, (min, max): (usize, usize)) -> Result<(), ConfigError> {
    if (min..=max).contains(&found) { Ok(()) } else { Err(ConfigError::Range { field, min, max, found }) }
}

fn longer_than_zero(field: &'static str, time: Duration) -> Result<(), ConfigError> {
    if time.is_zero() { Err(ConfigError::Zero { field }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_a_plc() {
        let config: PlcConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, PlcConfig::default());
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn a_configuration_survives_a_round_trip_over_json() {
        let config = PlcConfig::default();
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<PlcConfig>(&json).unwrap(), config);
    }

    #[test]
    fn the_readmes_plc_is_a_plc() {
        let (_, json) = include_str!("../README.md").split_once("```json\n").unwrap();
        let (json, _) = json.split_once("```").unwrap();
        let config: PlcConfig = serde_json::from_str(json).unwrap();
        assert_eq!((config.validate(), config.data_blocks[0].generators.len()), (Ok(()), 4));
    }

    #[test]
    fn errors_say_which_field_and_what_is_allowed() {
        let config = PlcConfig { pdu_length: 200, ..PlcConfig::default() };
        assert_eq!(config.validate().unwrap_err().to_string(), "`pdu_length` must be 240..=960, found 200");
        let slots_by_type = SlotsByType { op: Some(9), ..SlotsByType::default() };
        let config = PlcConfig { slots_by_type, ..PlcConfig::default() };
        let told = config.validate().unwrap_err().to_string();
        assert_eq!(told, "`slots_by_type.op` must be 0..=8, found 9");
        let config = PlcConfig { scan: Duration::ZERO, ..PlcConfig::default() };
        assert_eq!(config.validate(), Err(ConfigError::Zero { field: "scan" }));
        let twice = vec![DataBlock::moving(3), DataBlock::moving(3)];
        let config = PlcConfig { data_blocks: twice, ..PlcConfig::default() };
        assert_eq!(config.validate(), Err(ConfigError::Twice { number: 3 }));
    }

    #[test]
    fn a_generator_past_the_end_of_its_block_is_refused() {
        let block = DataBlock { bytes: 5, ..DataBlock::moving(9) };
        let config = PlcConfig { data_blocks: vec![block], ..PlcConfig::default() };
        let message = config.validate().unwrap_err().to_string();
        assert_eq!(message, "DB9, generator 1: real at byte 4 needs 8, the area has 5");
    }

    #[test]
    fn unknown_fields_are_refused_with_their_name() {
        let error = serde_json::from_str::<PlcConfig>(r#"{"slot": 3}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `slot`"), "{error}");
    }
}
