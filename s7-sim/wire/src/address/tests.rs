use super::*;

fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> String {
    text.parse::<Address>().unwrap_err().to_string()
}

#[test]
fn addresses_are_the_items_that_they_say() {
    let real = Item { transport: TransportSize::Real, ..Item::db_bytes(1, 4, 1) };
    let ints = Item { transport: TransportSize::Int, ..Item::db_bytes(1, 0, 10) };
    let word = |area, start| Item { transport: TransportSize::Word, ..Item::bytes(area, 0, start, 1) };
    let timer = Item { transport: TransportSize::Timer, count: 1, db: 0, area: Area::Timers, address: 5 };
    let counter = Item { transport: TransportSize::Counter, area: Area::Counters, address: 3, ..timer };
    for (text, item) in [
        ("DB1.DBX10.4", Item::bit(Area::DataBlocks, 1, 10, 4)),
        ("DB1.DBB3", Item::db_bytes(1, 3, 1)),
        ("DB1.DBD4:REAL", real),
        ("DB1.DBW0:INT[10]", ints),
        ("DB1.DBX0.0:BOOL[9]", Item::db_bytes(1, 0, 2)),
        ("DB2.DBB0:STRING[20]", Item::db_bytes(2, 0, 22)),
        ("DB2.DBB8:LREAL", Item::db_bytes(2, 8, 8)),
        ("DI2.DIB4", Item::bytes(Area::InstanceBlocks, 2, 4, 1)),
        ("MW20", word(Area::Merkers, 20)),
        ("M10.3", Item::bit(Area::Merkers, 0, 10, 3)),
        ("Q4.0", Item::bit(Area::Outputs, 0, 4, 0)),
        ("IW2", word(Area::Inputs, 2)),
        ("PIW256", word(Area::Peripheral, 256)),
        ("T5", timer),
        ("C3", counter),
        ("T5:S5TIME[4]", Item { count: 4, ..timer }),
    ] {
        assert_eq!(address(text).item(), item, "{text}");
    }
}

#[test]
fn an_address_prints_in_one_way_however_it_was_written() {
    for (text, printed) in [
        ("E0.1", "I0.1"),
        ("a4.0", "Q4.0"),
        ("z3", "C3"),
        ("PEW256", "PIW256"),
        ("paB4", "PQB4"),
        ("%db1.dbx10.4", "DB1.DBX10.4"),
        ("mx10.3", "M10.3"),
        ("MW20:word", "MW20"),
        ("DB1.DBW0:int", "DB1.DBW0:INT"),
        ("DB1.DBB0:string", "DB1.DBB0:STRING[254]"),
        ("DB1.DBB0:dt[2]", "DB1.DBB0:DATE_AND_TIME[2]"),
        ("MB5:BYTE[1]", "MB5:BYTE[1]"),
        ("t5:s5time", "T5"),
    ] {
        assert_eq!(address(text).to_string(), printed);
        assert_eq!(address(printed), address(text));
    }
}

#[test]
fn errors_say_where_what_was_expected_and_how_it_would_be_right() {
    for (text, message) in [
        (
            "",
            "column 1: expected DB, DI, M, I, Q, PI, PQ, T or C, found the end; \
              write it like `DB1.DBD4:REAL`, `MW20`, `I0.1` or `T5`",
        ),
        (
            "X1",
            "column 1: expected DB, DI, M, I, Q, PI, PQ, T or C, found `X`; \
                write it like `DB1.DBD4:REAL`, `MW20`, `I0.1` or `T5`",
        ),
        ("DB1", "column 4: expected a dot, found the end; write it like `DB1.DBW4` or `DB1.DBX4.0`"),
        (
            "DB1.DIW4",
            "column 5: expected the letters of the block once more, found `D`; \
                      write it like `DB1.DBW4` or `DB1.DBX4.0`",
        ),
        (
            "DI1.DI4",
            "column 7: expected X (a bit), B, W or D, found `4`; \
                     write it like `DI2.DIW4` or `DI2.DIX4.0`",
        ),
        ("DB0.DBW4", "column 3: the number of a block is 1..=65535, found 0"),
        (
            "M10",
            "column 4: expected a dot and a bit, found the end; \
                 write it like `M10.3` for a bit, `MB10` for a byte",
        ),
        ("M10.8", "column 5: a bit is 0..=7, found 8"),
        ("MÄ", "column 2: expected B, W, D or a number, found `Ä`; write it like `MW20` or `M10.3`"),
        ("MB99999999999", "column 3: a byte is 0..=2097151, found 99999999999"),
        ("T65536", "column 2: a number is 0..=65535, found 65536"),
        (
            "PI0.1",
            "column 3: the periphery is read in bytes, words and double words only; \
                   write it like `PIB0`, or `I0.0` for the process image",
        ),
        (
            "MW20 ",
            "column 5: expected a colon and a type, or the end, found ` `; write it like `DB1.DBW0:INT`",
        ),
        (
            "DB1.DBW0:INT[0]",
            "column 14: an array takes a length of 1..=65535, found `0`; write it like `INT[10]`",
        ),
        (
            "M1.1:BOOL[8]",
            "column 6: an array of BOOL begins at bit 0, found bit 1; \
                          begin it there, or name single bits",
        ),
        (
            "DB1.DBB0:DTL[9999]",
            "column 10: DTL[9999] from 0 on is 119988 bytes; \
                                an item has 1..=65535, and none behind 2097151",
        ),
        (
            "MD2097151",
            "column 10: DWORD from 2097151 on is 4 bytes; \
                       an item has 1..=65535, and none behind 2097151",
        ),
    ] {
        assert_eq!(error(text), format!("address `{text}`, {message}"));
    }
}

#[test]
fn a_type_of_another_width_is_told_what_fits_and_where_it_belongs() {
    for (text, message) in [
        (
            "DB1.DBW4:REAL",
            "REAL does not fit `DBW`, which takes WORD, UINT, INT, S5TIME, DATE, COUNTER; \
                           it goes with `DBD`",
        ),
        (
            "MD0:BOOL",
            "BOOL does not fit `MD`, which takes DWORD, UDINT, DINT, REAL, TIME, TIME_OF_DAY; \
                      it goes with `M`",
        ),
        ("M0.0:INT", "INT does not fit `M`, which takes BOOL; it goes with `MW`"),
        ("T5:REAL", "REAL does not fit `T`, which takes WORD, S5TIME"),
        ("PIW0:BOOL", "BOOL does not fit `PIW`, which takes WORD, UINT, INT, S5TIME, DATE, COUNTER"),
    ] {
        let found = error(text);
        assert!(found.ends_with(message), "{found}");
    }
    assert!(
        error("MW0:FLOAT").contains("column 5: expected a type, found `FLOAT`; types: BOOL, BYTE, WORD, ")
    );
}

#[test]
fn a_text_that_is_too_long_is_not_repeated_in_full() {
    let long = "M".repeat(100_000);
    let message = error(&long);
    assert!(message.ends_with("an address has at most 80 bytes, found 100000"), "{message}");
    assert!(message.len() < 200);
}

#[test]
fn places_made_in_code_are_checked_as_well() {
    let int = Shape::one(DataType::Int);
    assert!(Address::new(Region::Block(1), 0, 0, int).is_ok());
    assert!(Address::new(Region::Block(0), 0, 0, int).is_err());
    assert!(Address::new(Region::Block(1), 0, 1, int).is_err());
    assert!(Address::new(Region::Merkers, 0, 8, Shape::one(DataType::Bool)).is_err());
    assert!(Address::new(Region::Timers, 0, 0, int).is_err());
    assert!(Address::new(Region::PeripheralInputs, 0, 0, Shape::one(DataType::Bool)).is_err());
    assert!(Address::new(Region::Merkers, 0, 0, Shape::array(DataType::Int, 0)).is_err());
    assert!(Address::new(Region::Counters, 65_535, 0, Shape::array(DataType::Counter, 2)).is_err());
}
