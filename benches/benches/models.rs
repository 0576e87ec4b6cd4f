//! Times of the models' hot kernels, per unit. `kernel-counts` says the same in instructions.

#![allow(missing_docs, reason = "criterion's macros write functions without them")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use closemark_benches::kernels::KERNELS;

/// A multiple of a slice's strikes, so that each run does the same.
const UNITS: usize = 400;

fn models(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("models");
    group.throughput(Throughput::Elements(UNITS as u64));
    for kernel in &KERNELS {
        group.bench_function(kernel.name, |bencher| bencher.iter(|| (kernel.run)(UNITS)));
    }
    group.finish();
}

criterion_group!(benches, models);
criterion_main!(benches);
