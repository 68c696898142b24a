//! Which processor the arithmetic runs on.

use std::{cell::RefCell, sync::LazyLock};

use crate::{
    claim::{self, Claim},
    field::portable::Portable,
    generator::Generator,
    lockstep::{self, Input, Outcome, Tables},
};

/// The arithmetic of one field implementation. Both functions want at least one input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backend {
    /// Signatures that are recovered at once: enough to share inversions, few enough for the caches.
    pub(crate) batch: usize,
    /// [`lockstep::recover`].
    pub(crate) recover: fn(&[Input]) -> Vec<Outcome>,
    /// [`claim::check`].
    pub(crate) check: fn(&[Claim]) -> Vec<bool>,
}

/// For every processor.
pub(crate) const PORTABLE: Backend = Backend { batch: 128, recover: recover_portable, check: claim::check::<Portable> };

impl Backend {
    /// The fastest one that this processor has.
    pub(crate) fn detected() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(backend) = avx512::backend().or_else(avx2::backend) {
            return backend;
        }
        PORTABLE
    }
}

fn recover_portable(inputs: &[Input]) -> Vec<Outcome> {
    static GENERATOR: LazyLock<Generator<Portable>> = LazyLock::new(Generator::compute);
    thread_local! {
        static TABLES: RefCell<Tables<Portable>> = const { RefCell::new(Tables::new()) };
    }
    TABLES.with_borrow_mut(|tables| lockstep::recover(&GENERATOR, inputs, tables))
}

/// A backend for processors with certain features.
///
/// Everything that is generic over the field is inlined into the functions with the attribute, and so compiled for those features.
#[cfg(target_arch = "x86_64")]
macro_rules! backend {
    ($field:ty, $batch:literal, $features:literal, $($feature:tt)+) => {
        use std::{cell::RefCell, sync::LazyLock};

        use super::{Backend, Claim, Generator, Input, Outcome, Tables, claim, lockstep};

        /// The backend, if the processor has the features.
        pub(crate) fn backend() -> Option<Backend> {
            ($(std::arch::is_x86_feature_detected!($feature) &)+ true).then_some(Backend {
                batch: $batch,
                // SAFETY: reached only through this backend, which is given away only where there are the features.
                recover: |inputs| unsafe { recover(inputs) },
                // SAFETY: the same.
                check: |claims| unsafe { check(claims) },
            })
        }

        #[target_feature(enable = $features)]
        fn recover(inputs: &[Input]) -> Vec<Outcome> {
            // SAFETY: the processor has what this function needs too.
            static GENERATOR: LazyLock<Generator<$field>> = LazyLock::new(|| unsafe { compute() });
            thread_local! {
                static TABLES: RefCell<Tables<$field>> = const { RefCell::new(Tables::new()) };
            }
            // Taken out and put back: a closure would not be compiled for the features.
            let mut tables = TABLES.replace(Tables::new());
            let outcomes = lockstep::recover(&GENERATOR, inputs, &mut tables);
            TABLES.set(tables);
            outcomes
        }

        #[target_feature(enable = $features)]
        fn compute() -> Generator<$field> {
            Generator::compute()
        }

        #[target_feature(enable = $features)]
        fn check(claims: &[Claim]) -> Vec<bool> {
            claim::check::<$field>(claims)
        }
    };
}

/// For processors with AVX2.
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2 {
    use crate::field::{avx2::V4, limbs29::Halves};

    backend!(Halves<V4>, 128, "avx2", "avx2");
}

/// For processors with AVX-512 and its multiplication of 52 bits.
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512 {
    use crate::field::{avx512::V8, limbs43::Limbs};

    backend!(Limbs<V8>, 256, "avx512f,avx512ifma", "avx512f" "avx512ifma");
}
