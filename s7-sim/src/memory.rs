//! Memory: the areas of a PLC, what moves in them, and the codes that wrong addresses earn. Knows no sessions.

use std::collections::BTreeMap;
use std::ops::Range;

use s7_wire::{Area, Item, ReturnCode, TransportSize};

use crate::config::{DATA_BLOCKS_MAX, PlcConfig};
use crate::generator::{Generator, Moment};

/// All bytes of one PLC.
pub(crate) struct Memory {
    areas: BTreeMap<Key, Box<[u8]>>,
    /// Data blocks that were downloaded and not linked in.
    passive: BTreeMap<u16, Box<[u8]>>,
    generators: Vec<(u16, Generator)>,
    broken: Vec<u16>,
    seed: u64,
    scan: u64,
}

/// Area, and number of the data block (0 elsewhere).
type Key = (Area, u16);

/// Where an item lies in its area.
struct Place {
    key: Key,
    bytes: Range<usize>,
    bit: Option<u8>,
}

impl Memory {
    pub(crate) fn new(config: &PlcConfig) -> Self {
        let fixed = [
            (Area::Inputs, config.inputs),
            (Area::Outputs, config.outputs),
            (Area::Merkers, config.merkers),
            (Area::Timers, config.timers * 2),
            (Area::Counters, config.counters * 2),
        ];
        let fixed = fixed.into_iter().map(|(area, bytes)| ((area, 0), zeros(bytes)));
        let blocks = config.data_blocks.iter();
        let blocks = blocks.map(|block| ((Area::DataBlocks, block.number), zeros(block.bytes)));
        let generators = config
            .data_blocks
            .iter()
            .flat_map(|block| block.generators.iter().map(|generator| (block.number, generator.clone())));
        let mut memory = Self {
            areas: fixed.chain(blocks).collect(),
            passive: BTreeMap::new(),
            generators: generators.collect(),
            broken: config.broken.clone(),
            seed: config.seed,
            scan: 0,
        };
        memory.generate(Moment { scan: 0, elapsed: std::time::Duration::ZERO }, |_| true);
        memory
    }

    /// Brings what moves to `moment`; does nothing within one scan.
    pub(crate) fn move_to(&mut self, moment: Moment) {
        if moment.scan != self.scan {
            self.scan = moment.scan;
            self.generate(moment, Generator::moves);
        }
    }

    fn generate(&mut self, moment: Moment, wanted: impl Fn(&Generator) -> bool) {
        for (index, (db, generator)) in self.generators.iter().enumerate() {
            if !wanted(generator) {
                continue;
            }
            let value = generator.value(moment, self.seed, index as u64);
            let block = self.areas.get_mut(&(Area::DataBlocks, *db)).expect("its own block exists");
            value
                .write(block, generator.at, generator.bit)
                .expect("places were checked with the configuration");
        }
    }

    /// The data blocks, by number, each with its bytes.
    pub(crate) fn data_blocks(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let all = self.areas.range((Area::DataBlocks, 0)..=(Area::DataBlocks, u16::MAX));
        all.map(|(&(_, number), bytes)| (number, &bytes[..]))
    }

    /// The bytes of a data block.
    pub(crate) fn data_block(&self, number: u16) -> Option<&[u8]> {
        self.areas.get(&(Area::DataBlocks, number)).map(|bytes| &bytes[..])
    }

    /// Keeps a downloaded block, not yet linked in; `false` when there are too many already.
    pub(crate) fn load_block(&mut self, number: u16, bytes: &[u8]) -> bool {
        let room = self.passive.len() + self.data_blocks().count() < DATA_BLOCKS_MAX;
        if room {
            self.passive.insert(number, bytes.into());
        }
        room
    }

    /// Links a downloaded block in, in the place of the one there was; `false` when there is none.
    pub(crate) fn link_block(&mut self, number: u16) -> bool {
        let Some(bytes) = self.passive.remove(&number) else { return false };
        // What moved in the old block does not move in the new one.
        self.generators.retain(|(db, _)| *db != number);
        self.areas.insert((Area::DataBlocks, number), bytes);
        true
    }

    /// Deletes a block; `false` when there is none.
    pub(crate) fn delete_block(&mut self, number: u16) -> bool {
        self.generators.retain(|(db, _)| *db != number);
        self.areas.remove(&(Area::DataBlocks, number)).is_some()
    }

    /// The bytes of an item; a bit comes as a byte of 0 or 1.
    pub(crate) fn read(&self, item: &Item) -> Result<&[u8], ReturnCode> {
        let place = self.place(item, Area::Inputs)?;
        let bytes = &self.areas[&place.key][place.bytes];
        Ok(match place.bit {
            None => bytes,
            Some(bit) if bytes[0] & (1 << bit) != 0 => &[1],
            Some(_) => &[0],
        })
    }

    /// Writes an item; the payload must have its size.
    pub(crate) fn write(&mut self, item: &Item, payload: &[u8]) -> Result<(), ReturnCode> {
        let place = self.place(item, Area::Outputs)?;
        if payload.len() != place.bytes.len() {
            return Err(ReturnCode::TypeInconsistent);
        }
        let area = self.areas.get_mut(&place.key).expect("the place was found in it");
        let target = &mut area[place.bytes];
        match place.bit {
            None => target.copy_from_slice(payload),
            Some(bit) if payload[0] & 1 != 0 => target[0] |= 1 << bit,
            Some(bit) => target[0] &= !(1 << bit),
        }
        Ok(())
    }

    /// Finds an item. What does not exist is told before what is of a wrong type, and that before what is out of range.
    ///
    /// The peripheral is read where the inputs are and written where the outputs are, as `peripheral` says; an instance block is a
    /// data block.
    fn place(&self, item: &Item, peripheral: Area) -> Result<Place, ReturnCode> {
        let named = match item.area {
            Area::InstanceBlocks => Area::DataBlocks,
            Area::Peripheral => peripheral,
            area => area,
        };
        let db = if named == Area::DataBlocks { item.db } else { 0 };
        let key = (named, db);
        let area = self.areas.get(&key).ok_or(ReturnCode::ObjectMissing)?;
        if named == Area::DataBlocks && self.broken.contains(&db) {
            return Err(ReturnCode::Hardware);
        }
        let element = item.transport.element_bytes().ok_or(ReturnCode::TypeUnsupported)?;
        let numbered = match item.area {
            Area::Timers => Some(TransportSize::Timer),
            Area::Counters => Some(TransportSize::Counter),
            _ => None,
        };
        let is_numbered = matches!(item.transport, TransportSize::Timer | TransportSize::Counter);
        if numbered.map_or(is_numbered, |transport| transport != item.transport) {
            return Err(ReturnCode::TypeUnsupported);
        }
        let address = item.address as usize;
        let is_bit = item.transport == TransportSize::Bit;
        let start = match (numbered, is_bit) {
            (Some(_), _) => address * element,
            (None, true) if item.count == 1 => address / 8,
            (None, false) if address.is_multiple_of(8) => address / 8,
            _ => return Err(ReturnCode::InvalidAddress),
        };
        let bytes = start..start + element * usize::from(item.count);
        if bytes.is_empty() || bytes.end > area.len() {
            return Err(ReturnCode::InvalidAddress);
        }
        Ok(Place { key, bytes, bit: is_bit.then_some((address % 8) as u8) })
    }
}

fn zeros(bytes: usize) -> Box<[u8]> {
    vec![0; bytes].into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        Memory::new(&PlcConfig::default())
    }

    #[test]
    fn each_wrong_address_earns_its_code() {
        use ReturnCode::{InvalidAddress, ObjectMissing, TypeUnsupported};
        let byte = Item::db_bytes(2, 0, 1);
        let cases = [
            (Item::db_bytes(77, 0, 1), ObjectMissing),
            (Item { area: Area::Other(0x99), ..byte }, ObjectMissing),
            (Item::db_bytes(2, 1023, 2), InvalidAddress),
            (Item::db_bytes(2, 1024, 1), InvalidAddress),
            (Item::db_bytes(2, 0, 0), InvalidAddress),
            (Item { address: 3, ..byte }, InvalidAddress),
            (Item { count: 2, ..Item::bit(Area::DataBlocks, 2, 0, 0) }, InvalidAddress),
            (Item { transport: TransportSize::Other(0x42), ..byte }, TypeUnsupported),
            (Item { transport: TransportSize::Timer, ..byte }, TypeUnsupported),
            (Item::bytes(Area::Timers, 0, 0, 1), TypeUnsupported),
        ];
        for (item, code) in cases {
            assert_eq!(memory().read(&item), Err(code), "{item:?}");
            assert_eq!(memory().write(&item, &[0]), Err(code), "{item:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_bits_leave_their_neighbours() {
        let mut memory = memory();
        let byte = Item::bytes(Area::Merkers, 0, 10, 1);
        memory.write(&byte, &[0b1000_0001]).unwrap();
        let bit = Item::bit(Area::Merkers, 0, 10, 2);
        assert_eq!(memory.read(&bit), Ok(&[0][..]));
        memory.write(&bit, &[1]).unwrap();
        assert_eq!(memory.read(&bit), Ok(&[1][..]));
        assert_eq!(memory.read(&byte), Ok(&[0b1000_0101][..]));
    }

    #[test]
    fn the_peripheral_is_inputs_to_read_and_outputs_to_write_and_an_instance_block_is_a_data_block() {
        let mut memory = memory();
        memory.write(&Item::bytes(Area::Inputs, 0, 4, 2), &[1, 2]).unwrap();
        let peripheral = Item::bytes(Area::Peripheral, 0, 4, 2);
        assert_eq!(memory.read(&peripheral), Ok(&[1, 2][..]));
        memory.write(&peripheral, &[3, 4]).unwrap();
        assert_eq!(memory.read(&Item::bytes(Area::Outputs, 0, 4, 2)), Ok(&[3, 4][..]));
        assert_eq!(memory.read(&peripheral), Ok(&[1, 2][..]));
        memory.write(&Item::db_bytes(2, 0, 2), &[5, 6]).unwrap();
        assert_eq!(memory.read(&Item::bytes(Area::InstanceBlocks, 2, 0, 2)), Ok(&[5, 6][..]));
        let missing = Item::bytes(Area::InstanceBlocks, 77, 0, 2);
        assert_eq!(memory.read(&missing), Err(ReturnCode::ObjectMissing));
    }

    #[test]
    fn a_payload_of_another_size_is_inconsistent() {
        let item = Item::db_bytes(2, 0, 4);
        assert_eq!(memory().write(&item, &[1, 2, 3]), Err(ReturnCode::TypeInconsistent));
    }

    #[test]
    fn timers_are_numbered_not_addressed() {
        let timer =
            Item { transport: TransportSize::Timer, count: 2, db: 0, area: Area::Timers, address: 62 };
        let mut memory = memory();
        memory.write(&timer, &[1, 2, 3, 4]).unwrap();
        assert_eq!(memory.read(&Item { count: 1, address: 63, ..timer }), Ok(&[3, 4][..]));
        assert_eq!(memory.read(&Item { address: 63, ..timer }), Err(ReturnCode::InvalidAddress));
    }

    #[test]
    fn a_constant_is_set_once_and_a_counter_with_each_scan() {
        let mut memory = memory();
        let (counter, constant) = (Item::db_bytes(1, 0, 4), Item::db_bytes(1, 12, 2));
        memory.write(&counter, &[9; 4]).unwrap();
        memory.write(&constant, &[9; 2]).unwrap();
        memory.move_to(Moment { scan: 5, elapsed: std::time::Duration::from_millis(500) });
        assert_eq!(memory.read(&counter), Ok(&[0, 0, 0, 5][..]));
        assert_eq!(memory.read(&constant), Ok(&[9, 9][..]));
    }
}
