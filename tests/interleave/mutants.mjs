// Whether the checker of schedules (crates/interleave) notices what could go wrong in the parallel executor: one step
// after the other is broken in a copy of its sources, and the check has to fail on each.
//
//   node tests/interleave/mutants.mjs [PART OF A NAME]

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const COPY = join(ROOT, "target/mutants");
const PARTS = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "crates", "bin", "apps"];
const FLAGS = ["--release", "--locked", "--workspace", "--test", "interleave"];
const ENV = { ...process.env, CARGO_PROFILE_RELEASE_LTO: "off", CARGO_TERM_COLOR: "never", RUST_BACKTRACE: "0" };
ENV.CARGO_TARGET_DIR ??= join(ROOT, "target");

// What is broken: a file of crates/exec/src/parallel, what is written there, and what takes its place.
const MUTANTS = {
    "a run that was executed ahead is not announced": ["worker.rs", "        self.announce(run.range.start);\n        let", "        let"],
    "a reader notes how much of the log it knows after it has read": [
        "worker.rs",
        "            let mut progress = run.progress.lock();\n            if progress.is_cancelled {",
        "            let followed = self.view().follow();\n            let mut progress = run.progress.lock();\n            progress.followed = followed;\n            if progress.is_cancelled {",
    ],
    "who takes a run over does not cancel it": ["commit.rs", "            progress.is_cancelled = true;\n", ""],
    "who takes a run over does not announce what it published": ["commit.rs", "            worker.note_published(accesses);\n", "            let _ = accesses;\n"],
    "what is wrong is not withdrawn": ["commit.rs", /\n *withdraw\(accesses, &range[^;]*;/, "\n"],
    "what a commit changes within a run is not looked at": ["commit.rs", "            self.dirty.add(&worker.hashes[known..]);\n", "            let _ = known;\n"],
    "what was announced since is not looked at": ["commit.rs", "                self.dirty.add(hashes);\n", "                let _ = hashes;\n"],
    "a guess drops what others may still read": ["memory.rs", "self.up_to(committed).saturating_sub(1)", "self.up_to(committed.max(version)).saturating_sub(1)"],
    "a transaction reads what comes after it": ["memory.rs", "self.up_to(version).checked_sub(1).map(", "self.up_to(version + 1).checked_sub(1).map("],
    // That they are called without the lock, the checker cannot see: it knows no moment between the last look and falling asleep.
    "sleepers are not called when a block ends": [
        "worker.rs",
        "        let schedule = self.schedule.lock();\n        self.wake.notify_all();\n        drop(schedule);\n",
        "",
    ],
    "a run that is done is not seen from the frontier": ["schedule.rs", "*state == RunState::Done || self.is_impatient_with(&run.range)", "*state == RunState::Done && self.is_impatient_with(&run.range)"],
    "contracts stay in the journal from run to run": ["worker.rs", "        self.forget();\n        for", "        for"],
    "a run is handed out twice": ["schedule.rs", "        self.runs.remove(&frontier);\n", ""],
};

function check() {
    const done = spawnSync("cargo", ["test", ...FLAGS], { cwd: COPY, env: ENV, encoding: "utf8", maxBuffer: 1 << 30 });
    const failed = [...done.stdout.matchAll(/^test (?:\w+::)*(\w+) \.\.\. FAILED$/gm)].map((match) => match[1]);
    return { isBuilt: /^running \d+ tests$/m.test(done.stdout), hasFailed: done.status !== 0, failed, text: done.stderr };
}

const wanted = Object.entries(MUTANTS).filter(([name]) => name.includes(process.argv[2] ?? ""));
rmSync(COPY, { recursive: true, force: true });
mkdirSync(COPY, { recursive: true });
for (const part of PARTS) cpSync(join(ROOT, part), join(COPY, part), { recursive: true });

let missed = 0;
for (const [name, [file, from, to]] of wanted) {
    const path = join(COPY, "crates/exec/src/parallel", file);
    const text = readFileSync(path, "utf8");
    const mutant = text.replace(from, () => to);
    if (mutant === text) throw new Error(`${name}: ${file} does not hold what is to be broken`);
    writeFileSync(path, mutant);
    const { isBuilt, hasFailed, failed, text: said } = check();
    if (!isBuilt) throw new Error(`${name}: it does not build\n${said}`);
    console.log(`${hasFailed ? "noticed" : "MISSED "}  ${name}${hasFailed ? `: ${failed.join(", ") || "it aborts"}` : ""}`);
    missed += hasFailed ? 0 : 1;
    writeFileSync(path, text);
}
rmSync(COPY, { recursive: true, force: true });
console.log(`${wanted.length - missed} of ${wanted.length} noticed`);
process.exitCode = missed === 0 ? 0 : 1;
