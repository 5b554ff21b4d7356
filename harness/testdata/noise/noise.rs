/// Draws a whole number below its argument.
pub type Draw<'a> = &'a mut dyn FnMut(u64) -> u64;

/// A kind of noise: so many cycles of a healthy service's figure, of roughly the given size.
pub type Noise = fn(cycles: usize, size: u64, draw: Draw<'_>) -> Vec<i64>;

/// What healthy services look like, each with its name.
pub const NOISES: [(&str, Noise); 5] = [
    ("uniform", uniform),
    ("heavy-tailed", heavy_tailed),
    ("bursts", bursts),
    ("sawtooth", sawtooth),
    ("drifting down", drifting_down),
];

/// The figure without any noise.
const LEVEL: i64 = 100_000;

/// Up to ± `size`, each cycle on its own.
pub fn uniform(cycles: usize, size: u64, draw: Draw<'_>) -> Vec<i64> {
    (0..cycles).map(|_| LEVEL + draw(2 * size + 1) as i64 - size as i64).collect()
}

/// One-sided and telescoping, as things are that are still closing: mostly nothing, now and then a lot, all given back.
pub fn heavy_tailed(cycles: usize, size: u64, draw: Draw<'_>) -> Vec<i64> {
    (0..cycles)
        .map(|_| match draw(100) {
            0..70 => LEVEL,
            70..97 => LEVEL + draw(size + 1) as i64,
            _ => LEVEL + draw(50 * size + 1) as i64,
        })
        .collect()
}

/// Quiet, and bursts of up to a thirtieth of the run that drain late; a quiet cycle comes between any two.
pub fn bursts(cycles: usize, size: u64, draw: Draw<'_>) -> Vec<i64> {
    let longest = (cycles as u64 / 30).max(1);
    let mut series = Vec::new();
    while series.len() < cycles {
        series.push(LEVEL);
        if draw(10) == 0 {
            let height = LEVEL + 20 * draw(size + 1) as i64;
            series.extend((0..=draw(longest)).map(|_| height));
        }
    }
    series.truncate(cycles);
    series
}

/// A buffer that fills and is written out, again and again, over a little noise.
pub fn sawtooth(cycles: usize, size: u64, draw: Draw<'_>) -> Vec<i64> {
    let period = 2 + draw(cycles as u64 / 30 + 1) as usize;
    let begin = draw(period as u64) as usize;
    (0..cycles).map(|i| LEVEL + ((i + begin) % period) as i64 * size as i64 + draw(2) as i64).collect()
}

/// A cache that is given back slowly, under uniform noise.
pub fn drifting_down(cycles: usize, size: u64, draw: Draw<'_>) -> Vec<i64> {
    let per_cycle = 1 + draw(size + 1) as i64;
    let noise = uniform(cycles, size, draw);
    noise.iter().enumerate().map(|(i, figure)| figure - per_cycle * i as i64).collect()
}
