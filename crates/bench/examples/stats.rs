//! Prints what the executor observed on recorded blocks and workloads.
use std::{fs, num::NonZeroUsize, path::Path, time::Instant};
use braid_bench::{blocks, workload};
use braid_exec::{Config, execute};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let threads: NonZeroUsize = args[0].parse().unwrap();
    let config = Config { threads, ..Config::default() };
    let one = Config::default();
    for name in &args[1..] {
        if Path::new(name).is_dir() {
            let spec = blocks::mainnet().unwrap();
            let mut files: Vec<_> = fs::read_dir(name).unwrap().map(|f| f.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "gz")).collect();
            files.sort_by_key(|p| p.file_stem().unwrap().to_string_lossy().split('.').next().unwrap().parse::<u64>().unwrap());
            let mut sums = (0u128, 0u128);
            for f in files {
                let b = blocks::read(&f, &fs::read(&f).unwrap(), &spec).unwrap();
                let (mut t1, mut t2) = (vec![], vec![]);
                let mut stats = None;
                for _ in 0..7 {
                    let t = Instant::now();
                    execute(&b.context, &b.transactions, &b.state, &one).unwrap();
                    t1.push(t.elapsed().as_micros());
                    let t = Instant::now();
                    let o = execute(&b.context, &b.transactions, &b.state, &config).unwrap();
                    t2.push(t.elapsed().as_micros());
                    stats = Some(o.statistics);
                }
                t1.sort(); t2.sort();
                let s = stats.unwrap();
                sums.0 += t1[3]; sums.1 += t2[3];
                println!("{:>9} txs {:4} one {:6} par {:6} {:.2}x exec {:4} spec {:4} confl {:3} delta {:3} {}", f.file_stem().unwrap().to_string_lossy().trim_end_matches(".json"), b.transactions.len(), t1[3], t2[3], t1[3] as f64 / t2[3] as f64, s.executions, s.speculations, s.conflicts, s.deltas,
                    s.contended.iter().take(3).map(|c| format!("{}:{}c/{}d{}", &c.address.to_string()[..8], c.conflicts, c.deltas, if c.slot.is_some() {"s"} else {"a"})).collect::<Vec<_>>().join(" "));
            }
            println!("sum {} {} {:.3}", sums.0, sums.1, sums.0 as f64 / sums.1 as f64);
        } else {
            let sample = workload::find(name)[0].sample(None).unwrap();
            for _ in 0..5 {
                let t = Instant::now();
                execute(&sample.context, &sample.transactions, &sample.state, &one).unwrap();
                let a = t.elapsed().as_micros();
                let t = Instant::now();
                let o = execute(&sample.context, &sample.transactions, &sample.state, &config).unwrap();
                let b = t.elapsed().as_micros();
                let s = o.statistics;
                println!("{name} one {a} par {b} {:.2}x exec {} spec {} confl {} delta {} {}", a as f64 / b as f64, s.executions, s.speculations, s.conflicts, s.deltas,
                    s.contended.iter().take(3).map(|c| format!("{}:{}c/{}d{}", &c.address.to_string()[..8], c.conflicts, c.deltas, if c.slot.is_some() {"s"} else {"a"})).collect::<Vec<_>>().join(" "));
            }
        }
    }
}
