//! A read of twenty items: encode and decode, request and answer. How often each allocates: see `allocations`.
#![allow(missing_docs, reason = "criterion's macros make public items")]

mod twenty;

use criterion::{Criterion, criterion_group, criterion_main};
use twenty::End;

fn read_of_twenty(c: &mut Criterion) {
    let mut group = c.benchmark_group("read of 20 items");
    let mut end = End::new();
    let (request, answer) = (end.encode_request().to_vec(), end.encode_answer().to_vec());
    group.bench_function("encode request", |bencher| bencher.iter(|| end.encode_request().len()));
    group.bench_function("encode answer", |bencher| bencher.iter(|| end.encode_answer().len()));
    group.bench_function("decode request", |bencher| bencher.iter(|| end.decode_request(&request)));
    group.bench_function("decode answer", |bencher| bencher.iter(|| end.decode_answer(&answer)));
    group.finish();
}

criterion_group!(benches, read_of_twenty);
criterion_main!(benches);
