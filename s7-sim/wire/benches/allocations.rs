//! How often the codec allocates for a read of twenty items: `cargo bench -p s7-wire --bench allocations`.

mod twenty;

use std::hint::black_box;

use twenty::End;
use watertight_probe::heap;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

const ROUNDS: u64 = 10_000;

fn main() {
    let before = allocations();
    drop(black_box(vec![0_u8; 1]));
    assert_eq!(allocations() - before, 1, "the probe counts allocations, or the table means nothing");
    let mut end = End::new();
    let (request, answer) = (end.encode_request().to_vec(), end.encode_answer().to_vec());
    println!("| read of 20 items | allocations |\n| --- | ---: |");
    print("encode request", || end.encode_request().len());
    print("encode answer", || end.encode_answer().len());
    print("decode request", || end.decode_request(&request) as usize);
    print("decode answer", || end.decode_answer(&answer));
}

fn print(name: &str, mut work: impl FnMut() -> usize) {
    let before = allocations();
    for _ in 0..ROUNDS {
        black_box(work());
    }
    let each = (allocations() - before) as f64 / ROUNDS as f64;
    println!("| {name} | {each:.2} |");
}

fn allocations() -> u64 {
    heap::total().expect("the probe counts").blocks
}
