//! What the prefix codes of a lossless WebP take once a decoder has made tables of them (RFC 9649, section 3).
//!
//! A picture has up to 65,536 groups of five codes, whatever its size, and a code of twelve bytes becomes a table of four
//! kilobytes: in a file of 4 MB those are 1.3 GB. So the head of the stream is read here as a decoder reads it, up to the codes
//! of its pixels, and no table is kept. `image-webp` 0.2 is the decoder that is meant: what it takes for valid is read alike,
//! and a stream that cannot be read here is none.

use crate::bit_reader::BitReader;

/// Bytes of a group of codes besides their tables: five of 56 bytes, in a vector that doubles.
const GROUP_BYTES: u64 = 1_024;
/// Bytes of a table of two symbols, with the tree beside it.
const PAIR_BYTES: u64 = 64;
/// Bytes of an entry of a table, and the longest code that is found by one: longer ones have nodes of a tree, two for each.
const ENTRY_BYTES: u64 = 4;
const MAX_TABLE_BITS: usize = 10;
const NODES_BYTES: u64 = 32;

/// Symbols of the five codes of a group: green, lengths and the colour cache; red; blue; alpha; distances.
const ALPHABETS: [usize; 5] = [256 + 24, 256, 256, 256, 40];
/// In which order the lengths of the code of lengths stand.
const LENGTH_ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// Longest code, bits.
const MAX_LENGTH: usize = 15;

/// Bytes of all tables of a stream of a picture of this size, from behind its header on; somewhat more than `most` where they
/// are more than that. `None` where the stream cannot be read.
pub(crate) fn table_bytes(stream: &[u8], width: u32, height: u32, most: u64) -> Option<u64> {
    let mut reader = BitReader::new(stream);
    let width = skip_transforms(&mut reader, width, height)?;
    let cache_bits = read_cache_bits(&mut reader)?;
    let mut groups = 1;
    if reader.bits(1)? == 1 {
        let bits = reader.bits(3)? + 2;
        let meta = read_pixels(&mut reader, subsampled(width, bits), subsampled(height, bits))?;
        groups = meta.iter().map(|[red, green, ..]| u64::from(*red) << 8 | u64::from(*green)).max()? + 1;
    }
    let mut bytes = groups * GROUP_BYTES;
    for _ in 0..groups {
        for alphabet in alphabets(cache_bits) {
            bytes += PrefixCode::read(&mut reader, alphabet)?.table_bytes()?;
        }
        if bytes > most {
            break;
        }
    }
    Some(bytes)
}

/// Reads over what is done to the pixels once they are decoded. The width of what is decoded.
fn skip_transforms(reader: &mut BitReader<'_>, width: u32, height: u32) -> Option<u32> {
    let (mut decoded_width, mut seen) = (width, [false; 4]);
    while reader.bits(1)? == 1 {
        let kind = reader.bits(2)? as usize;
        if std::mem::replace(&mut seen[kind], true) {
            return None;
        }
        match kind {
            // Predictors and colours, of blocks.
            0 | 1 => {
                let bits = reader.bits(3)? + 2;
                read_pixels(reader, subsampled(decoded_width, bits), subsampled(height, bits))?;
            }
            // Green subtracted, of all.
            2 => {}
            // A palette: of a small one, several pixels are one.
            _ => {
                let colours = reader.bits(8)? + 1;
                read_pixels(reader, colours, 1)?;
                let bits = match colours {
                    ..=2 => 3,
                    3..=4 => 2,
                    5..=16 => 1,
                    _ => 0,
                };
                decoded_width = subsampled(decoded_width, bits);
            }
        }
    }
    Some(decoded_width)
}

const fn subsampled(size: u32, bits: u32) -> u32 {
    size.div_ceil(1 << bits)
}

/// How large the colour cache is, as a power of two; `None` within where there is none.
fn read_cache_bits(reader: &mut BitReader<'_>) -> Option<Option<u32>> {
    if reader.bits(1)? == 0 {
        return Some(None);
    }
    let bits = reader.bits(4)?;
    (1..=11).contains(&bits).then_some(Some(bits))
}

fn alphabets(cache_bits: Option<u32>) -> [usize; 5] {
    let mut alphabets = ALPHABETS;
    alphabets[0] += cache_bits.map_or(0, |bits| 1 << bits);
    alphabets
}

/// Red, green, blue, alpha.
type Pixel = [u8; 4];

/// Reads a picture that has one group of codes, as those have that belong to another.
fn read_pixels(reader: &mut BitReader<'_>, width: u32, height: u32) -> Option<Vec<Pixel>> {
    let cache_bits = read_cache_bits(reader)?;
    let mut codes = Vec::with_capacity(ALPHABETS.len());
    for alphabet in alphabets(cache_bits) {
        codes.push(PrefixCode::read(reader, alphabet)?.decoder()?);
    }
    let [green, red, blue, alpha, distance] = codes.as_slice() else { return None };
    let mut cache = cache_bits.map(ColourCache::new);
    let length = width as usize * height as usize;
    let mut pixels: Vec<Pixel> = Vec::with_capacity(length);
    while pixels.len() < length {
        let symbol = green.read(reader)?;
        match symbol {
            0..256 => {
                let (red, blue, alpha) = (red.read(reader)?, blue.read(reader)?, alpha.read(reader)?);
                let pixel = [red as u8, symbol as u8, blue as u8, alpha as u8];
                pixels.push(pixel);
                cache.iter_mut().for_each(|cache| cache.insert(pixel));
            }
            256..280 => {
                let copied = read_copy(reader, symbol - 256)?;
                let code = distance.read(reader)?;
                let back = plane_distance(width, read_copy(reader, code)?);
                if pixels.len() < back || length - pixels.len() < copied {
                    return None;
                }
                for _ in 0..copied {
                    let pixel = pixels[pixels.len() - back];
                    pixels.push(pixel);
                    cache.iter_mut().for_each(|cache| cache.insert(pixel));
                }
            }
            _ => pixels.push(cache.as_ref()?.colours[usize::from(symbol) - 280]),
        }
    }
    Some(pixels)
}

/// A length or a distance by its prefix.
fn read_copy(reader: &mut BitReader<'_>, prefix: u16) -> Option<usize> {
    let prefix = u32::from(prefix);
    if prefix < 4 {
        return Some(prefix as usize + 1);
    }
    let extra = (prefix - 2) >> 1;
    Some(((2 + (prefix & 1)) << extra) as usize + reader.bits(extra)? as usize + 1)
}

/// How many pixels before it another one lies: small numbers are of those around it.
fn plane_distance(width: u32, code: usize) -> usize {
    let Some((across, down)) = code.checked_sub(1).and_then(|index| NEAR.get(index)) else {
        return code.saturating_sub(NEAR.len());
    };
    let distance = i64::from(*across) + i64::from(*down) * i64::from(width);
    usize::try_from(distance).unwrap_or(0).max(1)
}

/// Pixels around one, the nearest first.
#[rustfmt::skip]
const NEAR: [(i8, i8); 120] = [
    (0, 1), (1, 0), (1, 1), (-1, 1), (0, 2), (2, 0), (1, 2), (-1, 2), (2, 1), (-2, 1), (2, 2), (-2, 2),
    (0, 3), (3, 0), (1, 3), (-1, 3), (3, 1), (-3, 1), (2, 3), (-2, 3), (3, 2), (-3, 2), (0, 4), (4, 0),
    (1, 4), (-1, 4), (4, 1), (-4, 1), (3, 3), (-3, 3), (2, 4), (-2, 4), (4, 2), (-4, 2), (0, 5), (3, 4),
    (-3, 4), (4, 3), (-4, 3), (5, 0), (1, 5), (-1, 5), (5, 1), (-5, 1), (2, 5), (-2, 5), (5, 2), (-5, 2),
    (4, 4), (-4, 4), (3, 5), (-3, 5), (5, 3), (-5, 3), (0, 6), (6, 0), (1, 6), (-1, 6), (6, 1), (-6, 1),
    (2, 6), (-2, 6), (6, 2), (-6, 2), (4, 5), (-4, 5), (5, 4), (-5, 4), (3, 6), (-3, 6), (6, 3), (-6, 3),
    (0, 7), (7, 0), (1, 7), (-1, 7), (5, 5), (-5, 5), (7, 1), (-7, 1), (4, 6), (-4, 6), (6, 4), (-6, 4),
    (2, 7), (-2, 7), (7, 2), (-7, 2), (3, 7), (-3, 7), (7, 3), (-7, 3), (5, 6), (-5, 6), (6, 5), (-6, 5),
    (8, 0), (4, 7), (-4, 7), (7, 4), (-7, 4), (8, 1), (8, 2), (6, 6), (-6, 6), (8, 3), (5, 7), (-5, 7),
    (7, 5), (-7, 5), (8, 4), (6, 7), (-6, 7), (7, 6), (-7, 6), (8, 5), (7, 7), (-7, 7), (8, 6), (8, 7),
];

/// Colours that were seen last, by their hash.
struct ColourCache {
    bits: u32,
    colours: Vec<Pixel>,
}

impl ColourCache {
    fn new(bits: u32) -> Self {
        Self { bits, colours: vec![[0; 4]; 1 << bits] }
    }

    fn insert(&mut self, pixel: Pixel) {
        let [red, green, blue, alpha] = pixel;
        let colour = u32::from_be_bytes([alpha, red, green, blue]);
        let index = 0x1e35_a7bd_u32.wrapping_mul(colour) >> (32 - self.bits);
        self.colours[index as usize] = pixel;
    }
}

/// A code as it is written.
enum PrefixCode {
    /// Of one symbol, which takes no bit.
    One(u16),
    /// Of two, each of one bit.
    Two([u16; 2]),
    /// The length of each symbol's code, bits; 0 of those that do not occur.
    Lengths(Vec<u8>),
}

impl PrefixCode {
    fn read(reader: &mut BitReader<'_>, alphabet: usize) -> Option<Self> {
        if reader.bits(1)? == 0 {
            return read_lengths(reader, alphabet).map(Self::Lengths);
        }
        let is_pair = reader.bits(1)? == 1;
        let first_bits = if reader.bits(1)? == 1 { 8 } else { 1 };
        let first = reader.bits(first_bits)? as u16;
        let second = if is_pair { reader.bits(8)? as u16 } else { 0 };
        let code = if is_pair { Self::Two([first, second]) } else { Self::One(first) };
        (usize::from(first.max(second)) < alphabet).then_some(code)
    }

    /// Bytes of its tables; `None` where it is no code.
    fn table_bytes(&self) -> Option<u64> {
        let lengths = match self {
            Self::One(_) => return Some(0),
            Self::Two(_) => return Some(PAIR_BYTES),
            Self::Lengths(lengths) => lengths,
        };
        let counts = counts(lengths);
        match longest(&counts)? {
            0 => Some(0),
            longest => {
                let beyond: u32 = counts[MAX_TABLE_BITS + 1..].iter().sum();
                Some((ENTRY_BYTES << longest.min(MAX_TABLE_BITS)) + NODES_BYTES * u64::from(beyond))
            }
        }
    }

    /// What reads symbols by it; `None` where it is no code.
    fn decoder(&self) -> Option<Decoder> {
        let lengths = match self {
            Self::One(symbol) => {
                return Some(Decoder { counts: [0; MAX_LENGTH + 1], symbols: vec![*symbol] });
            }
            Self::Two(symbols) => {
                let mut counts = [0; MAX_LENGTH + 1];
                counts[1] = 2;
                return Some(Decoder { counts, symbols: symbols.to_vec() });
            }
            Self::Lengths(lengths) => lengths,
        };
        let counts = counts(lengths);
        longest(&counts)?;
        let mut symbols: Vec<u16> =
            (0..).zip(lengths).filter(|(_, length)| **length > 0).map(|(symbol, _)| symbol).collect();
        // Stable: of codes of one length the smaller symbol has the smaller one.
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        Some(Decoder { counts, symbols })
    }
}

/// How many codes there are of each length.
fn counts(lengths: &[u8]) -> [u32; MAX_LENGTH + 1] {
    let mut counts = [0; MAX_LENGTH + 1];
    for length in lengths.iter().filter(|length| **length > 0) {
        counts[usize::from(*length)] += 1;
    }
    counts
}

/// The longest code, bits; 0 where there is one symbol, which needs none. `None` where there is no symbol, or where the
/// lengths leave codes over or have too many (Kraft's inequality).
fn longest(counts: &[u32; MAX_LENGTH + 1]) -> Option<usize> {
    if counts.iter().sum::<u32>() == 1 {
        return Some(0);
    }
    let longest = counts.iter().rposition(|count| *count > 0)?;
    let used: u32 =
        counts[..=longest].iter().enumerate().map(|(length, count)| count << (longest - length)).sum();
    (used == 1 << longest).then_some(longest)
}

fn read_lengths(reader: &mut BitReader<'_>, alphabet: usize) -> Option<Vec<u8>> {
    let mut of_lengths = vec![0; LENGTH_ORDER.len()];
    let written = 4 + reader.bits(4)? as usize;
    for index in LENGTH_ORDER.get(..written)? {
        of_lengths[*index] = reader.bits(3)? as u8;
    }
    let code = PrefixCode::Lengths(of_lengths).decoder()?;
    let mut left = alphabet;
    if reader.bits(1)? == 1 {
        let bits = 2 + 2 * reader.bits(3)?;
        left = 2 + reader.bits(bits)? as usize;
        if left > alphabet {
            return None;
        }
    }
    let (mut lengths, mut previous) = (Vec::with_capacity(alphabet), 8);
    while lengths.len() < alphabet && left > 0 {
        left -= 1;
        let symbol = code.read(reader)?;
        let (length, bits, least) = match symbol {
            0..16 => {
                lengths.push(symbol as u8);
                previous = if symbol == 0 { previous } else { symbol as u8 };
                continue;
            }
            16 => (previous, 2, 3),
            17 => (0, 3, 3),
            _ => (0, 7, 11),
        };
        let repeated = reader.bits(bits)? as usize + least;
        if lengths.len() + repeated > alphabet {
            return None;
        }
        lengths.resize(lengths.len() + repeated, length);
    }
    lengths.resize(alphabet, 0);
    Some(lengths)
}

/// Reads symbols of a code bit by bit.
struct Decoder {
    /// How many codes there are of each length; of a single symbol it does not matter.
    counts: [u32; MAX_LENGTH + 1],
    /// In the order of their codes.
    symbols: Vec<u16>,
}

impl Decoder {
    fn read(&self, reader: &mut BitReader<'_>) -> Option<u16> {
        if let [symbol] = self.symbols[..] {
            return Some(symbol);
        }
        // Codes of one length follow each other, and begin where those of the length before end.
        let (mut code, mut first, mut index) = (0, 0, 0);
        let mut bits = reader.peek();
        for (length, count) in (1..).zip(&self.counts[1..]) {
            code |= bits & 1;
            bits >>= 1;
            if code < first + count {
                reader.skip(length)?;
                return self.symbols.get((index + code - first) as usize).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a picture of 64 by 32 pixels as libwebp writes it: predictors, colours, a cache, and two groups of codes.
    const HEAD: [&str; 4] = [
        "990a44f43f3611d1fff0ce04444428299224499286c1ec4560f9835a061786c8ac5e082a01c1ff2d412120",
        "aa8524095a910d3f8e033f910b4f64906302e4d4b6ad6b0d7210811c6445417420023fefdc878eaf9af511",
        "c1cf767024a43c556a640cbb983461d8ff",
        "376e4cc0",
    ];

    fn head() -> Vec<u8> {
        let text = HEAD.concat();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    }

    /// Writes bits as they are read.
    #[derive(Default)]
    struct BitWriter {
        bytes: Vec<u8>,
        length: usize,
    }

    impl BitWriter {
        fn bits(&mut self, value: u32, count: usize) {
            for bit in 0..count {
                if self.length.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                let last = self.bytes.last_mut().expect("there is one");
                *last |= ((value >> bit & 1) as u8) << (self.length % 8);
                self.length += 1;
            }
        }

        /// A code of one symbol below 256.
        fn single(&mut self, symbol: u32) {
            self.bits(0b101, 3);
            self.bits(symbol, 8);
        }
    }

    /// Twelve bytes: lengths of 1 to 9 and two of 10, of the first symbols.
    fn long_code(writer: &mut BitWriter) {
        writer.bits(0, 1);
        // Fourteen lengths of lengths: those of 1 to 6 are of three bits, those of 7 to 10 are of four.
        writer.bits(14 - 4, 4);
        let of = |length: usize| {
            if length == 0 || length > 10 {
                0
            } else if length <= 6 {
                3
            } else {
                4
            }
        };
        LENGTH_ORDER[..14].iter().for_each(|length| writer.bits(of(*length), 3));
        // Eleven lengths are written: 2 + 9, in four bits.
        writer.bits(1, 1);
        writer.bits(1, 3);
        writer.bits(9, 4);
        for length in (1..=10_u32).chain([10]) {
            // Codes of three bits from 000 on, of four from 1100 on; the first bit is the most significant.
            let (code, bits) = if length <= 6 { (length - 1, 3) } else { (12 + length - 7, 4) };
            (0..bits).rev().for_each(|bit| writer.bits(code >> bit & 1, 1));
        }
    }

    #[test]
    fn the_codes_of_a_stream_are_found_and_counted() {
        // As a decoder of its own finds them, in another language.
        assert_eq!(table_bytes(&head(), 64, 32, u64::MAX), Some(2 * GROUP_BYTES + 4_432));
        for length in 0..head().len() {
            assert_eq!(table_bytes(&head()[..length], 64, 32, u64::MAX), None, "{length} bytes of it");
        }
    }

    #[test]
    fn a_few_bytes_of_code_are_a_table_of_four_kilobytes() {
        let mut writer = BitWriter::default();
        long_code(&mut writer);
        assert!(writer.length <= 12 * 8, "{} bits", writer.length);
        let mut reader = BitReader::new(&writer.bytes);
        let code = PrefixCode::read(&mut reader, 40).expect("a code");
        assert_eq!((code.table_bytes(), reader.position()), (Some(4_096), writer.length));
    }

    #[test]
    fn many_groups_of_a_small_picture_are_more_than_may_be() {
        let mut writer = BitWriter::default();
        // No transform, no cache, and groups by blocks of 512 pixels: the one there is has the last number of all.
        writer.bits(0, 1);
        writer.bits(0, 1);
        writer.bits(1, 1);
        writer.bits(7, 3);
        writer.bits(0, 1);
        [255, 255, 0, 0, 0].into_iter().for_each(|symbol| writer.single(symbol));
        assert_eq!(table_bytes(&writer.bytes, 100, 100, u64::MAX), None, "the groups themselves are missing");
        for _ in 0..5 {
            long_code(&mut writer);
        }
        let found = table_bytes(&writer.bytes, 100, 100, 1 << 20).expect("it is too much already");
        assert_eq!(found, 65_536 * GROUP_BYTES + 5 * 4_096);
    }

    #[test]
    fn lengths_that_are_no_code_are_refused() {
        let longest_of = |lengths: &[u8]| longest(&counts(lengths));
        assert_eq!(longest_of(&[0, 0, 7]), Some(0), "a single symbol takes no bit, whatever its length");
        assert_eq!(longest_of(&[1, 2, 2]), Some(2));
        for bad in [&[0, 0][..], &[1, 2], &[1, 1, 1], &[2, 2, 2]] {
            assert_eq!(longest_of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn near_pixels_have_small_numbers() {
        assert_eq!(plane_distance(100, 1), 100, "the one above");
        assert_eq!(plane_distance(100, 2), 1, "the one before");
        assert_eq!(plane_distance(100, 4), 99);
        assert_eq!(plane_distance(1, 12), 1, "never itself, nor one after it");
        assert_eq!(plane_distance(100, 121), 1);
    }
}
