//! HMAC-SHA-256 for `jsonwebtoken`, whose own providers bring RSA and elliptic curves, or a C library.

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use sha2::Sha256;
use signature::{Error, Signer, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(encoding_hmac(*algorithm, key)?)),
    verifier_factory: |algorithm, key| Ok(Box::new(decoding_hmac(*algorithm, key)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes [`PROVIDER`] the process's, unless the process has one, which knows HS256 too.
pub fn install() {
    let _ = PROVIDER.install_default();
}

struct HmacSha256(Hmac<Sha256>);

impl HmacSha256 {
    fn new(algorithm: Algorithm, family: AlgorithmFamily, secret: &[u8]) -> Result<Self> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        if family != AlgorithmFamily::Hmac {
            return Err(ErrorKind::InvalidKeyFormat.into());
        }
        Hmac::new_from_slice(secret).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

fn encoding_hmac(algorithm: Algorithm, key: &EncodingKey) -> Result<HmacSha256> {
    HmacSha256::new(algorithm, key.family(), key.as_bytes())
}

fn decoding_hmac(algorithm: Algorithm, key: &DecodingKey) -> Result<HmacSha256> {
    HmacSha256::new(algorithm, key.family(), key.try_get_as_bytes()?)
}

impl Signer<Vec<u8>> for HmacSha256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for HmacSha256 {
    /// Compares in constant time.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(Error::from_source)
    }
}

impl JwtSigner for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_rfc_4231_does_and_accepts_no_other_signature() {
        // RFC 4231, test case 2.
        let key = EncodingKey::from_secret(b"Jefe");
        let signature =
            encoding_hmac(Algorithm::HS256, &key).expect("HS256").sign(b"what do ya want for nothing?");
        let expected = [
            0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
            0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
        ];
        assert_eq!(signature, expected);
        let checking = decoding_hmac(Algorithm::HS256, &DecodingKey::from_secret(b"Jefe")).expect("HS256");
        checking.verify(b"what do ya want for nothing?", &signature).expect("its own signature");
        assert!(checking.verify(b"what do ya want for something?", &signature).is_err());
        assert!(checking.verify(b"what do ya want for nothing?", &signature[..31].to_vec()).is_err());
    }

    #[test]
    fn other_algorithms_are_refused() {
        assert!(encoding_hmac(Algorithm::HS512, &EncodingKey::from_secret(b"Jefe")).is_err());
    }
}
