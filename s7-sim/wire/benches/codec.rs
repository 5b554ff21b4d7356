//! A read of twenty items: encode and decode, request and answer.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use s7_wire::{Answer, DataTransport, Decoder, Item, Job, Message, ReadAnswerWriter, encode_read_request};

const PAYLOAD: [u8; 16] = [7; 16];

fn items() -> [Item; 20] {
    std::array::from_fn(|index| Item::db_bytes(1, index as u32 * 16, 16))
}

fn encode_answer(out: &mut BytesMut) {
    let mut writer = ReadAnswerWriter::begin(out, 7, 20);
    for _ in 0..20 {
        assert!(writer.success(DataTransport::Byte, black_box(&PAYLOAD)));
    }
    writer.finish().unwrap();
}

fn decode(decoder: &mut Decoder, buffer: &mut BytesMut) -> s7_wire::Pdu {
    match decoder.decode(buffer) {
        Ok(Some(Message::Pdu(pdu))) => pdu,
        other => panic!("{other:?}"),
    }
}

fn read_of_twenty(c: &mut Criterion) {
    let mut group = c.benchmark_group("read of 20 items");
    let items = items();
    let mut out = BytesMut::with_capacity(1024);
    group.bench_function("encode request", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode_read_request(&mut out, 7, black_box(&items)).unwrap();
        });
    });
    let request = out.clone();
    group.bench_function("encode answer", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode_answer(&mut out);
        });
    });
    let answer = out.clone();

    let (mut decoder, mut buffer) = (Decoder::new(), BytesMut::with_capacity(4096));
    group.bench_function("decode request", |bencher| {
        bencher.iter(|| {
            buffer.reserve(request.len());
            buffer.extend_from_slice(&request);
            let Ok(Job::Read(read)) = Job::decode(&decode(&mut decoder, &mut buffer)) else { panic!() };
            read.items.iter().map(|item| item.address).sum::<u32>()
        });
    });
    group.bench_function("decode answer", |bencher| {
        bencher.iter(|| {
            buffer.reserve(answer.len());
            buffer.extend_from_slice(&answer);
            let Ok(Answer::Read(read)) = Answer::decode(&decode(&mut decoder, &mut buffer)) else { panic!() };
            read.items.iter().map(|data| data.payload.len()).sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, read_of_twenty);
criterion_main!(benches);
