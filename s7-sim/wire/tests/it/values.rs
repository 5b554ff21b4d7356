//! Typed values: whatever bytes come, they are a value that is written back as these bytes, or a typed error.

use bytes::BytesMut;
use proptest::prelude::*;
use s7_wire::value::{
    CivilDate, ClockTime, DataType, DataValue, DateAndTime, Dtl, S5Time, S5TimeBase, Shape,
};

/// Every type, with texts of any length that a test can afford.
fn data_type() -> impl Strategy<Value = DataType> {
    let kinds = prop::sample::select(&DataType::ALL[..]);
    (kinds, 1..=40_u8).prop_map(|(kind, max)| match kind {
        DataType::String { .. } => DataType::String { max },
        DataType::Wstring { .. } => DataType::Wstring { max: u16::from(max) },
        other => other,
    })
}

pub fn shape() -> impl Strategy<Value = Shape> {
    let count = prop::option::of(1..=9_u16);
    (data_type(), count).prop_map(|(element, count)| Shape { element, count })
}

fn date(years: std::ops::RangeInclusive<u16>) -> impl Strategy<Value = CivilDate> {
    (years, 1..=12_u8, 1..=31_u8)
        .prop_filter_map("a day that exists", |(year, month, day)| CivilDate::new(year, month, day))
}

fn time_of_day() -> impl Strategy<Value = ClockTime> {
    (0..86_400_000_u32).prop_map(|milliseconds| ClockTime::from_milliseconds(milliseconds).unwrap())
}

fn fine_time() -> impl Strategy<Value = ClockTime> {
    (0..24_u8, 0..60_u8, 0..60_u8, 0..1_000_000_000_u32)
        .prop_map(|(hour, minute, second, nano)| ClockTime::new(hour, minute, second, nano).unwrap())
}

/// A value of each type that has values outside its bytes: texts and times.
fn value() -> impl Strategy<Value = (DataType, DataValue)> {
    let latin1 = prop::collection::vec(any::<u8>(), 0..=12)
        .prop_map(|bytes| bytes.into_iter().map(char::from).collect::<String>());
    let wide =
        prop::collection::vec(any::<char>(), 0..=6).prop_map(|chars| chars.into_iter().collect::<String>());
    let s5time = (prop::sample::select(&S5TimeBase::ALL[..]), 0..=999_u16);
    prop_oneof![
        latin1.prop_map(|text| (DataType::String { max: 12 }, DataValue::String(text))),
        wide.prop_map(|text| (DataType::Wstring { max: 12 }, DataValue::Wstring(text))),
        (0..=999_u16).prop_map(|count| (DataType::Counter, DataValue::Counter(count))),
        s5time.prop_map(|(base, count)| {
            (DataType::S5Time, DataValue::S5Time(S5Time::new(base, count).unwrap()))
        }),
        date(1990..=2168).prop_map(|date| (DataType::Date, DataValue::Date(date))),
        time_of_day().prop_map(|time| (DataType::TimeOfDay, DataValue::TimeOfDay(time))),
        (date(1990..=2089), time_of_day()).prop_map(|(date, time)| {
            (DataType::DateAndTime, DataValue::DateAndTime(DateAndTime::new(date, time)))
        }),
        (date(1970..=2261), fine_time())
            .prop_map(|(date, time)| (DataType::Dtl, DataValue::Dtl(Dtl::new(date, time)))),
    ]
}

/// The bytes that a value is written as, where bytes without a meaning are zero: a value keeps no others.
fn encode(shape: Shape, value: &DataValue) -> Vec<u8> {
    let mut out = BytesMut::new();
    shape.encode(value, &mut out).unwrap();
    out.to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_and_times_survive_a_round_trip((kind, value) in value()) {
        let shape = Shape::one(kind);
        let bytes = encode(shape, &value);
        prop_assert_eq!(bytes.len(), shape.bytes());
        prop_assert_eq!(shape.decode(&bytes), Ok(value));
    }

    #[test]
    fn arrays_of_them_do_too((kind, value) in value(), count in 1..=5_u16) {
        let shape = Shape::array(kind, count);
        let array = DataValue::Array(vec![value; usize::from(count)]);
        let bytes = encode(shape, &array);
        prop_assert_eq!(bytes.len(), shape.bytes());
        prop_assert_eq!(shape.decode(&bytes), Ok(array));
    }

    #[test]
    fn any_bytes_are_a_value_that_is_written_the_same_way_again_or_an_error(
        shape in shape(), noise in prop::collection::vec(any::<u8>(), 800), digits: bool,
    ) {
        // Decimal digits alone find more of the values that are made of them.
        let byte = |byte: u8| if digits { (((byte >> 4) % 10) << 4) | (byte % 10) } else { byte };
        let payload: Vec<u8> = noise.into_iter().take(shape.bytes()).map(byte).collect();
        if let Ok(value) = shape.decode(&payload) {
            let bytes = encode(shape, &value);
            prop_assert_eq!(bytes.len(), payload.len());
            // Compared as bytes: a NaN is not equal to itself, but its bytes are.
            prop_assert_eq!(encode(shape, &shape.decode(&bytes).unwrap()), bytes);
        }
    }

    #[test]
    fn shapes_survive_a_round_trip_over_their_text(shape in shape()) {
        prop_assert_eq!(shape.to_string().parse(), Ok(shape));
        prop_assert_eq!(shape.to_string().to_lowercase().parse(), Ok(shape));
    }

    #[test]
    fn any_text_is_a_shape_or_an_error(text in "[A-Za-z_]{0,12}(\\[[0-9]{0,6}\\]?){0,3}.{0,3}") {
        if let Ok(shape) = text.parse::<Shape>() {
            prop_assert_eq!(shape.to_string().parse(), Ok(shape));
        }
    }
}
