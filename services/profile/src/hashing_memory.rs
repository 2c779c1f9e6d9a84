//! The memory that argon2 works in, kept from one password to the next.
//!
//! Fresh from the kernel for each password, 7 MiB are 1,800 page faults: 3 ms of the kernel's time beside 10 ms of work. What is
//! kept is bounded, and wiped before it is kept: nothing of a password outlasts its turn.

use std::sync::{Mutex, MutexGuard};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{CustomizedPasswordHasher, Error, PasswordHasher, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Pieces of memory that are kept, at most: 28 MiB at the default cost. Machines that hash more passwords at once than that
/// have memory to spare, and get the rest from the kernel.
const MAX_KEPT: usize = 4;

/// Memory that is not in use.
#[derive(Default)]
pub(crate) struct MemoryPool(Mutex<Vec<Vec<Block>>>);

/// Memory in use by one password; goes back when dropped.
struct Memory<'a> {
    pool: &'a MemoryPool,
    blocks: Vec<Block>,
}

impl MemoryPool {
    fn kept(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().expect("no panic while held")
    }

    /// Memory of so many blocks.
    fn take(&self, blocks: usize) -> Memory<'_> {
        let mut memory = self.kept().pop().unwrap_or_default();
        // All passwords of a process have one cost, but for those that were kept at an earlier one.
        memory.resize(blocks, Block::new());
        Memory { pool: self, blocks: memory }
    }
}

impl AsMut<[Block]> for Memory<'_> {
    fn as_mut(&mut self) -> &mut [Block] {
        &mut self.blocks
    }
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        // Before the lock, and with stores as wide as the machine has: word by word, as `Block::zeroize` does it, 7 MiB take a
        // millisecond more. Also where it is not kept, and nothing reads it.
        self.blocks.fill(Block::new());
        std::hint::black_box(&mut self.blocks);
        let mut kept = self.pool.kept();
        if kept.len() < MAX_KEPT {
            kept.push(std::mem::take(&mut self.blocks));
        }
    }
}

/// argon2 in memory that is there already. What it does not say for itself is as [`Argon2`] does it.
pub(crate) struct Hasher<'a> {
    params: &'a Params,
    pool: &'a MemoryPool,
}

impl<'a> Hasher<'a> {
    /// Hashes at this cost; checks at the cost of the hash.
    pub const fn new(params: &'a Params, pool: &'a MemoryPool) -> Self {
        Self { params, pool }
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Hasher<'_> {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> Result<PasswordHash> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?.unwrap_or(Algorithm::Argon2id);
        let version = version.map(Version::try_from).transpose()?.unwrap_or(Version::V0x13);
        let salt = Salt::new(salt)?;
        let mut output = [0; Output::MAX_LENGTH];
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = output.get_mut(..length).ok_or(Error::OutputSize)?;
        let mut memory = self.pool.take(params.block_count());
        let kept_params = ParamsString::try_from(&params)?;
        Argon2::new(algorithm, version, params).hash_password_into_with_memory(
            password,
            &salt,
            output,
            &mut memory,
        )?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: kept_params,
            salt: Some(salt),
            hash: Some(Output::new(output)?),
        })
    }
}

impl PasswordHasher<PasswordHash> for Hasher<'_> {
    fn hash_password_with_salt(&self, password: &[u8], salt: &[u8]) -> Result<PasswordHash> {
        self.hash_password_customized(password, salt, None, None, self.params.clone())
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;
    use nix::sys::resource::{UsageWho, getrusage};

    use super::*;

    fn params(kib: u32) -> Params {
        Params::new(kib, 1, 1, None).expect("a possible cost")
    }

    /// Page faults of this thread so far that needed no disk.
    fn page_faults() -> i64 {
        getrusage(UsageWho::RUSAGE_THREAD).expect("the kernel counts").minor_page_faults()
    }

    #[test]
    fn it_hashes_as_argon2_does() {
        let (params, pool) = (params(64), MemoryPool::default());
        let theirs = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let hasher = Hasher::new(&params, &pool);
        for password in [&b"correct horse"[..], b"", b"battery staple"] {
            let (salt, hash) =
                (b"a salt of ours", hasher.hash_password_with_salt(password, b"a salt of ours"));
            assert_eq!(hash, theirs.hash_password_with_salt(password, salt));
            let hash = hash.expect("hashed");
            assert_eq!(hasher.verify_password(password, &hash), theirs.verify_password(password, &hash));
            assert_eq!(hasher.verify_password(b"another", &hash), Err(Error::PasswordInvalid));
        }
    }

    #[test]
    fn memory_is_kept_wiped_and_no_more_of_it_than_so_much() {
        let pool = MemoryPool::default();
        let mut taken: Vec<_> = (0..MAX_KEPT + 2).map(|_| pool.take(8)).collect();
        taken
            .iter_mut()
            .for_each(|memory| memory.as_mut().iter_mut().for_each(|block| block.as_mut().fill(7)));
        drop(taken);
        let kept = pool.kept();
        assert_eq!(kept.len(), MAX_KEPT);
        assert!(kept.iter().flatten().all(|block| block.as_ref().iter().all(|word| *word == 0)));
    }

    #[test]
    fn a_hash_at_another_cost_gets_what_it_asks_for() {
        let pool = MemoryPool::default();
        for kib in [64, 128, 32] {
            let params = params(kib);
            let hash = Hasher::new(&params, &pool).hash_password_with_salt(b"password", b"some salt");
            let theirs = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
            assert_eq!(hash, theirs.hash_password_with_salt(b"password", b"some salt"));
        }
    }

    #[test]
    fn pages_are_faulted_in_once() {
        // 4 MiB are 1,024 pages of 4 KiB, unless the kernel gives large ones.
        let (params, pool) = (params(4 * 1024), MemoryPool::default());
        let hasher = Hasher::new(&params, &pool);
        let faults_of = |hashes: usize| {
            let before = page_faults();
            for _ in 0..hashes {
                hasher.hash_password_with_salt(b"password", b"some salt").expect("hashed");
            }
            page_faults() - before
        };
        faults_of(1);
        let faults = faults_of(10);
        assert!(faults < 100, "{faults} page faults for ten passwords, in memory that is there");
    }
}
