//! A disk that was cut off, from what was done to it until then.
//!
//! Two images are kept apart. *Live* is what the process saw. *Durable* is what must be there after a power cut: data of a file that was
//! synced, names in a folder that was synced. Between them anything may have happened: of the writes since a file's last sync any may be
//! there, in part or not at all, whatever their order; of the changes of names in a folder the first few (file systems keep a journal
//! of those).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path},
};

/// One thing that was done.
#[derive(Clone, Debug)]
pub enum Step {
    Create { inode: u64, path: String },
    Write { inode: u64, offset: usize, data: Vec<u8> },
    Truncate { inode: u64, length: usize },
    Sync { inode: u64, path: String },
    Rename { from: String, to: String },
    Remove { path: String },
    MakeFolder { path: String },
}

/// Reads the trace that `shim.c` wrote.
pub fn read_trace(path: &Path) -> Vec<Step> {
    let bytes = fs::read(path).unwrap();
    let (mut steps, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((kind, after)) = rest.split_first() {
        let number = |at: usize| u64::from_ne_bytes(after[8 * at..8 * at + 8].try_into().unwrap());
        let [inode, offset, first, second] = [0, 1, 2, 3].map(number);
        let [offset, first, second] = [offset, first, second].map(|number| usize::try_from(number).unwrap());
        let (texts, next) = after[32..].split_at(first + second);
        let (first, second) = texts.split_at(first);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        steps.push(match kind {
            b'C' => Step::Create { inode, path: text(first) },
            b'W' => Step::Write { inode, offset, data: first.to_vec() },
            b'T' => Step::Truncate { inode, length: offset },
            b'S' => Step::Sync { inode, path: text(first) },
            b'R' => Step::Rename { from: text(first), to: text(second) },
            b'U' | b'X' => Step::Remove { path: text(first) },
            b'M' => Step::MakeFolder { path: text(first) },
            other => panic!("no such step: {other}"),
        });
        rest = next;
    }
    steps
}

/// SplitMix64, so that a seed says everything.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap()
    }
}

type FolderId = usize;
type FileId = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Folder(FolderId),
    File(FileId),
}

type Names = BTreeMap<(FolderId, String), Entry>;

/// A change of names, all of it or nothing.
#[derive(Clone, Debug)]
struct NameChange {
    folder: FolderId,
    sets: Vec<((FolderId, String), Option<Entry>)>,
}

#[derive(Clone, Debug)]
enum DataChange {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<DataChange>,
}

/// Smallest part of a write that a disk writes or does not.
const SECTOR_BYTES: usize = 512;

/// The disk under one folder, which is folder 0 and always there.
#[derive(Debug)]
pub struct Disk {
    root: String,
    live: Names,
    durable: Names,
    pending: Vec<NameChange>,
    folders: usize,
    files: Vec<File>,
    /// Inodes are used again: which file each stands for now.
    inodes: BTreeMap<u64, FileId>,
}

impl Disk {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_str().unwrap().to_owned(),
            live: Names::new(),
            durable: Names::new(),
            pending: Vec::new(),
            folders: 1,
            files: Vec::new(),
            inodes: BTreeMap::new(),
        }
    }

    /// Does a step; the changed file's path is not needed for its data.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Create { inode, path } => {
                self.files.push(File::default());
                let file = self.files.len() - 1;
                self.inodes.insert(*inode, file);
                let place = self.place(path);
                self.rename(place.0, vec![(place, Some(Entry::File(file)))]);
            }
            Step::MakeFolder { path } => {
                let folder = self.folders;
                self.folders += 1;
                let place = self.place(path);
                self.rename(place.0, vec![(place, Some(Entry::Folder(folder)))]);
            }
            Step::Rename { from, to } => {
                let (from, to) = (self.place(from), self.place(to));
                let entry = self.live[&from];
                self.rename(to.0, vec![(from, None), (to, Some(entry))]);
            }
            Step::Remove { path } => {
                let place = self.place(path);
                self.rename(place.0, vec![(place, None)]);
            }
            Step::Write { inode, offset, data } => self.change(*inode, DataChange::Write(*offset, data.clone())),
            Step::Truncate { inode, length } => self.change(*inode, DataChange::Truncate(*length)),
            Step::Sync { inode, path } => self.sync(*inode, path),
        }
    }

    /// Checks that what the process saw is what is there, so that nothing was done unseen. Zeros at the end of a file do not count, for
    /// preallocation is not traced.
    pub fn assert_complete(&self) {
        self.assert_folder(0, Path::new(&self.root));
    }

    fn assert_folder(&self, folder: FolderId, path: &Path) {
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let there: BTreeSet<_> = fs::read_dir(path).unwrap().map(|entry| name(entry.unwrap())).collect();
        let known = || self.live.iter().filter(|((within, _), _)| *within == folder).map(|((_, name), it)| (name, it));
        assert_eq!(known().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(), there, "{}", path.display());
        for (name, entry) in known() {
            let path = path.join(name);
            match entry {
                Entry::Folder(below) => self.assert_folder(*below, &path),
                Entry::File(file) => {
                    let (seen, there) = (self.files[*file].live(), fs::read(&path).unwrap());
                    assert!(without_zeros(&seen) == without_zeros(&there), "{} differs", path.display());
                }
            }
        }
    }

    /// Writes the disk into a folder as a power cut may leave it.
    pub fn cut(&self, random: &mut Random, to: &Path) {
        let mut names = self.durable.clone();
        let mut kept: BTreeMap<FolderId, usize> = BTreeMap::new();
        for change in &self.pending {
            let total = self.pending.iter().filter(|other| other.folder == change.folder).count();
            let left = kept.entry(change.folder).or_insert_with(|| random.below(total + 1));
            if *left > 0 {
                *left -= 1;
                set(&mut names, &change.sets);
            }
        }
        let contents: Vec<_> = self.files.iter().map(|file| file.cut(random)).collect();
        write_folder(&names, &contents, 0, to);
    }

    /// Everything that was done, synced or not: what the process saw.
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let Some(Entry::File(file)) = self.live.get(&self.place(path)) else { return None };
        Some(self.files[*file].live())
    }

    fn change(&mut self, inode: u64, change: DataChange) {
        // Written by who opened it before the trace began: nothing of the store.
        if let Some(file) = self.inodes.get(&inode) {
            self.files[*file].pending.push(change);
        }
    }

    fn rename(&mut self, folder: FolderId, sets: Vec<((FolderId, String), Option<Entry>)>) {
        set(&mut self.live, &sets);
        self.pending.push(NameChange { folder, sets });
    }

    fn sync(&mut self, inode: u64, path: &str) {
        if let Some(folder) = self.folder(path) {
            let (done, left) = self.pending.drain(..).partition(|change| change.folder == folder);
            self.pending = left;
            let done: Vec<NameChange> = done;
            done.iter().for_each(|change| set(&mut self.durable, &change.sets));
        } else if let Some(file) = self.inodes.get(&inode).copied() {
            self.follow(file, path);
            self.files[file].sync();
        }
    }

    /// Renames a file that is found under another name than the trace knows: `current` of an LSM tree gets its name by a system call that
    /// does not pass the C library. It is synced under its new name before its folder is, so the name is not taken as durable too early.
    fn follow(&mut self, file: FileId, path: &str) {
        let (entry, to) = (Entry::File(file), self.place(path));
        let from = self.live.iter().find(|(_, known)| **known == entry).map(|(place, _)| place.clone());
        if let Some(from) = from.filter(|from| *from != to) {
            self.rename(to.0, vec![(from, None), (to, Some(entry))]);
        }
    }

    /// The folder at a path, if one is there.
    fn folder(&self, path: &str) -> Option<FolderId> {
        let mut at = 0;
        for name in self.parts(path) {
            match self.live.get(&(at, name))? {
                Entry::Folder(folder) => at = *folder,
                Entry::File(_) => return None,
            }
        }
        Some(at)
    }

    /// The folder that a path's last name is in, and that name.
    fn place(&self, path: &str) -> (FolderId, String) {
        let (folder, name) = path.trim_end_matches('/').rsplit_once('/').unwrap();
        (self.folder(folder).unwrap_or_else(|| panic!("{folder} is no folder")), name.to_owned())
    }

    fn parts(&self, path: &str) -> Vec<String> {
        let below = Path::new(path).strip_prefix(&self.root).unwrap();
        let name = |part: Component<'_>| part.as_os_str().to_str().unwrap().to_owned();
        below.components().map(name).collect()
    }
}

impl File {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            change.apply(&mut self.durable);
        }
    }

    /// What the process saw.
    fn live(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.pending.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }

    /// What may be there after a power cut.
    fn cut(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        // All, nothing, or any part of each, so that the extremes come up as well.
        let fate = random.below(3);
        for change in &self.pending {
            match fate {
                0 => {}
                1 => change.apply(&mut bytes),
                _ => change.tear(random, &mut bytes),
            }
        }
        bytes
    }
}

impl DataChange {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                bytes.resize(bytes.len().max(offset + data.len()), 0);
                bytes[*offset..offset + data.len()].copy_from_slice(data);
            }
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }

    fn tear(&self, random: &mut Random, bytes: &mut Vec<u8>) {
        let Self::Write(offset, data) = self else {
            if random.below(2) == 0 {
                self.apply(bytes);
            }
            return;
        };
        for (index, sector) in data.chunks(SECTOR_BYTES).enumerate() {
            if random.below(2) == 0 {
                Self::Write(offset + index * SECTOR_BYTES, sector.to_vec()).apply(bytes);
            }
        }
    }
}

fn set(names: &mut Names, sets: &[((FolderId, String), Option<Entry>)]) {
    for (place, entry) in sets {
        match entry {
            Some(entry) => names.insert(place.clone(), *entry),
            None => names.remove(place),
        };
    }
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

fn write_folder(names: &Names, contents: &[Vec<u8>], folder: FolderId, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for ((_, name), entry) in names.iter().filter(|((within, _), _)| *within == folder) {
        match entry {
            Entry::Folder(below) => write_folder(names, contents, *below, &to.join(name)),
            Entry::File(file) => fs::write(to.join(name), &contents[*file]).unwrap(),
        }
    }
}
