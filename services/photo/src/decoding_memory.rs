//! What a decoder holds of a picture besides the pixels that it gives out, by what the file promises.
//!
//! The limits of `image` know the pixels alone. A progressive JPEG is held whole as coefficients, a WebP as planes, as a second
//! picture or as a canvas, and a frame within a WebP may be larger than the picture that its header promises. What is found here
//! is never less than what a decoder takes: where a file can be read in two ways, the larger one counts. A PNG is decoded row
//! by row.

use crate::lossless_codes::table_bytes;

fn pixels(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}

/// Components that a JPEG may have at most.
const MAX_COMPONENTS: usize = 4;
/// Bytes of the coefficients of a block of 8 by 8.
const BLOCK_BYTES: u64 = 64 * 2;

/// A frame header (ITU-T T.81, B.2.2).
struct JpegFrame {
    components: usize,
    /// Of all of its coefficients, bytes.
    coefficients: u64,
}

impl JpegFrame {
    /// Reads one of a picture of this size, from behind its marker.
    fn read(segment: &[u8], width: u32, height: u32) -> Option<Self> {
        let &[_, _, _, h0, h1, w0, w1, components, ..] = segment else { return None };
        if u32::from(u16::from_be_bytes([h0, h1])) != height
            || u32::from(u16::from_be_bytes([w0, w1])) != width
        {
            return None;
        }
        let (described, _) = segment[8..].as_chunks::<3>();
        let sampling: Vec<(u32, u32)> = described
            .iter()
            .take(usize::from(components).min(MAX_COMPONENTS))
            .map(|&[_, factors, _]| (u32::from(factors >> 4), u32::from(factors & 15)))
            .collect();
        let widest = sampling.iter().map(|(across, _)| *across).max().unwrap_or(1).max(1);
        let tallest = sampling.iter().map(|(_, down)| *down).max().unwrap_or(1).max(1);
        let units = pixels(width.div_ceil(8 * widest), height.div_ceil(8 * tallest));
        let blocks: u64 = sampling.iter().map(|&(across, down)| pixels(across, down)).sum();
        Some(Self { components: sampling.len(), coefficients: units * blocks * BLOCK_BYTES })
    }
}

/// Bytes beside the pixels of a JPEG of this size: its coefficients, where it is held whole. That is a progressive one, and one
/// whose first scan has not all of its components.
///
/// Markers are looked for everywhere, and not from segment to segment: readers differ in what they skip.
pub(crate) fn jpeg_coefficients(bytes: &[u8], width: u32, height: u32) -> u64 {
    let (mut most, mut components, mut fewest_in_scan) = (None, 0, usize::MAX);
    let mut is_progressive = false;
    for (at, pair) in bytes.windows(2).enumerate().filter(|(_, pair)| pair[0] == 0xff) {
        let segment = &bytes[at + 2..];
        match (pair[1], segment) {
            (0xc0..=0xc2, _) => {
                let Some(frame) = JpegFrame::read(segment, width, height) else { continue };
                is_progressive |= pair[1] == 0xc2;
                components = components.max(frame.components);
                most = most.max(Some(frame.coefficients));
            }
            (0xda, &[0, length, in_scan, ..]) if u16::from(length) == 6 + 2 * u16::from(in_scan) => {
                fewest_in_scan = fewest_in_scan.min(usize::from(in_scan));
            }
            _ => {}
        }
    }
    match most {
        Some(coefficients) if is_progressive || fewest_in_scan < components => coefficients,
        Some(_) => 0,
        None => pixels(width, height) * MAX_COMPONENTS as u64 * 2,
    }
}

/// Bytes of a lossy frame's planes: luma and twice a quarter of chroma, in macroblocks of 16 by 16.
fn planes(width: u32, height: u32) -> u64 {
    pixels(width.next_multiple_of(16), height.next_multiple_of(16)) * 3 / 2
}

/// Bytes beside the pixels of a WebP of this size (RFC 9649, section 2). Of the codes of a lossless one no more is looked at once
/// it takes more than `most`.
///
/// # Errors
/// What is wrong with one whose parts are larger than the whole, or cannot be read.
pub(crate) fn webp_working_bytes(
    bytes: &[u8],
    width: u32,
    height: u32,
    most: u64,
) -> Result<u64, &'static str> {
    match bytes.get(12..16) {
        Some(b"VP8 ") => Ok(planes(width, height)),
        Some(b"VP8L") => {
            let has_alpha = bytes.get(24).is_some_and(|flags| flags & 0x10 != 0);
            let around = lossless(pixels(width, height), has_alpha);
            if around > most {
                return Ok(around);
            }
            let chunk = Chunks::new(bytes, 12).next().ok_or(UNREADABLE)?;
            let codes = code_bytes(chunk.content(bytes), chunk.name, (width, height), most)?;
            Ok(around + codes)
        }
        _ => extended_webp(bytes, width, height, most),
    }
}

const UNREADABLE: &str = "its lossless part cannot be read";
const OVERSIZED: &str = "a frame is larger than the picture";

/// Bytes of the tables of a chunk's codes: of a lossless stream, or of an alpha channel that is compressed as one is. `size` is the
/// most that a stream may have, and what an alpha channel has.
fn code_bytes(
    content: &[u8],
    name: [u8; 4],
    (width, height): (u32, u32),
    most: u64,
) -> Result<u64, &'static str> {
    match (&name, content) {
        (b"VP8L", &[0x2f, a, b, c, d, ref stream @ ..]) => {
            let header = u32::from_le_bytes([a, b, c, d]);
            let (across, down) = ((header & 0x3fff) + 1, (header >> 14 & 0x3fff) + 1);
            if across > width || down > height {
                return Err(OVERSIZED);
            }
            table_bytes(stream, across, down, most).ok_or(UNREADABLE)
        }
        (b"VP8L", _) => Err(UNREADABLE),
        (b"ALPH", [how, stream @ ..]) if how & 3 == 1 => {
            table_bytes(stream, width, height, most).ok_or(UNREADABLE)
        }
        _ => Ok(0),
    }
}

/// Without an alpha channel it is decoded to pixels with one first. What its transforms take is less than a byte a pixel.
const fn lossless(pixels: u64, has_alpha: bool) -> u64 {
    if has_alpha { pixels } else { 5 * pixels }
}

fn extended_webp(bytes: &[u8], width: u32, height: u32, most: u64) -> Result<u64, &'static str> {
    let pixels = pixels(width, height);
    let flags = bytes.get(20).copied().unwrap_or_default();
    let (is_animated, has_alpha) = (flags & 0x02 != 0, flags & 0x10 != 0);
    let (mut has_lossy, mut has_lossless) = (false, false);
    // Of each kind the first is decoded, and of an animation the first frame.
    let (mut kinds, mut codes) = (Vec::new(), 0);
    for chunk in Chunks::new(bytes, 12) {
        if chunk.end() > bytes.len() {
            return Err("a part of it is longer than the file");
        }
        // Of a frame of an animation: its bitstream, perhaps behind an alpha channel.
        let is_frame = chunk.name == *b"ANMF";
        let size = match is_animated && is_frame {
            true => frame_size(bytes, chunk.start)
                .filter(|size| size.0 <= width && size.1 <= height)
                .ok_or(OVERSIZED)?,
            false => (width, height),
        };
        let is_first = matches!(&chunk.name, b"VP8L" | b"ALPH" | b"ANMF") && !kinds.contains(&chunk.name);
        kinds.extend(is_first.then_some(chunk.name));
        let within = Chunks::new(bytes, chunk.start + 16).take(if is_frame { 2 } else { 0 });
        for chunk in std::iter::once(chunk).chain(within) {
            let lossy = lossy_frame(bytes, chunk.start);
            if lossy.is_some_and(|(across, down)| across > width || down > height) {
                return Err(OVERSIZED);
            }
            has_lossy |= lossy.is_some();
            has_lossless |= chunk.name == *b"VP8L";
            if is_first {
                codes = code_bytes(chunk.content(bytes), chunk.name, size, most)?.max(codes);
            }
        }
    }
    let planes = planes(width, height);
    if is_animated {
        // The canvas and a frame of its size, each with an alpha channel.
        return Ok(8 * pixels + planes + codes);
    }
    // An alpha channel of its own is decoded as a lossless picture.
    let lossy = planes + if has_alpha { 5 * pixels } else { 0 };
    let lossless = if has_lossless { lossless(pixels, has_alpha) } else { 0 };
    Ok(lossless.max(if has_lossy { lossy } else { 0 }) + codes)
}

/// Width and height of a frame of an animation, whose content begins at `start`.
fn frame_size(bytes: &[u8], start: usize) -> Option<(u32, u32)> {
    let side = |at: usize| {
        let &[low, middle, high] = bytes.get(at..at.checked_add(3)?)? else { return None };
        Some(u32::from_le_bytes([low, middle, high, 0]) + 1)
    };
    Some((side(start.checked_add(6)?)?, side(start.checked_add(9)?)?))
}

/// Width and height of a lossy key frame, where one begins at `at` (RFC 6386, section 9.1).
fn lossy_frame(bytes: &[u8], at: usize) -> Option<(u32, u32)> {
    let &[tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = bytes.get(at..at.checked_add(10)?)? else {
        return None;
    };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    (tag & 1 == 0).then(|| (side(w0, w1), side(h0, h1)))
}

/// The chunks of a RIFF file from a place on.
struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A chunk: its name, where its content begins, and how long that is as it says.
struct Chunk {
    name: [u8; 4],
    start: usize,
    length: usize,
}

impl<'a> Chunks<'a> {
    const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }
}

impl Chunk {
    const fn end(&self) -> usize {
        self.start.saturating_add(self.length)
    }

    /// As much of it as there is.
    fn content<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.start..self.end().min(bytes.len())).unwrap_or_default()
    }
}

impl Iterator for Chunks<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let start = self.at.checked_add(8)?;
        let &[a, b, c, d, l0, l1, l2, l3] = self.bytes.get(self.at..start)? else { return None };
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let chunk = Chunk { name: [a, b, c, d], start, length };
        self.at = chunk.end().saturating_add(length % 2);
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat, RgbImage};

    use super::*;
    use crate::picture::{self, Format};

    fn encoded(side: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(RgbImage::new(side, side)).write_to(&mut bytes, format).expect("encodes");
        bytes.into_inner()
    }

    fn memory(format: Format, bytes: &[u8]) -> Result<u64, String> {
        picture::decoded_bytes(format, bytes).map_err(|refusal| refusal.code.into_owned())
    }

    fn place_of(bytes: &[u8], marker: u8) -> usize {
        bytes.windows(2).position(|pair| pair == [0xff, marker]).expect("it is there")
    }

    /// A baseline JPEG whose frame promises so many pixels.
    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = encoded(8, ImageFormat::Jpeg);
        let frame = place_of(&bytes, 0xc0);
        bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        bytes
    }

    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).expect("short").to_le_bytes();
        [name.as_slice(), &length, content, &[0][..content.len() % 2]].concat()
    }

    /// A WebP with a canvas of 100 by 100, these flags and these chunks.
    fn canvas(flags: u8, chunks: &[Vec<u8>]) -> Vec<u8> {
        let header = chunk(b"VP8X", &[flags, 0, 0, 0, 99, 0, 0, 99, 0, 0]);
        let content = [b"WEBP".to_vec(), header, chunks.concat()].concat();
        chunk(b"RIFF", &content)
    }

    /// The head of a lossy key frame.
    fn lossy(side: u16) -> Vec<u8> {
        [[0x10_u8, 0, 0, 0x9d, 0x01, 0x2a].as_slice(), &side.to_le_bytes(), &side.to_le_bytes()].concat()
    }

    #[test]
    fn a_jpeg_is_held_whole_where_its_scans_are_parts() {
        let (baseline, most) = (jpeg(8_000, 4_000), 32_000_000);
        assert_eq!(memory(Format::Jpeg, &baseline), Ok(3 * most));
        let mut progressive = baseline.clone();
        let (frame, scan) = (place_of(&baseline, 0xc0), place_of(&baseline, 0xda));
        progressive[frame + 1] = 0xc2;
        assert_eq!(memory(Format::Jpeg, &progressive), Err("image_too_large".into()));
        // A first scan of one component of three, of which nothing but its head is here.
        let mut parts = baseline[..scan].to_vec();
        parts.extend([0xff, 0xda, 0, 8, 1, baseline[frame + 10], 0, 0, 63, 0]);
        assert_eq!(memory(Format::Jpeg, &parts), Err("image_too_large".into()));
    }

    #[test]
    fn coefficients_are_counted_in_whole_units() {
        // 17 by 9 pixels are two units of 16 by 16, each of four blocks of luma and one of each chroma.
        let frame = [0, 17, 8, 0, 9, 0, 17, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
        let read = JpegFrame::read(&frame, 17, 9).expect("a frame");
        assert_eq!((read.components, read.coefficients), (3, 2 * 6 * BLOCK_BYTES));
        assert!(JpegFrame::read(&frame, 9, 17).is_none(), "that of another picture");
        assert!(JpegFrame::read(&frame[..7], 17, 9).is_none());
        assert_eq!(jpeg_coefficients(b"no frame at all", 10, 10), 800);
    }

    #[test]
    fn a_webp_is_held_twice_where_it_is_decoded_to_other_pixels() {
        // Three bytes a pixel, four before, and one for what transforms it; and tables of a group of codes.
        let lossless = memory(Format::WebP, &encoded(100, ImageFormat::WebP)).expect("a picture");
        assert!((80_000..110_000).contains(&lossless), "{lossless}");
        let still = canvas(0, &[chunk(b"VP8 ", &lossy(100))]);
        // 100 pixels are seven macroblocks of 16.
        assert_eq!(memory(Format::WebP, &still), Ok(30_000 + 112 * 112 * 3 / 2));
        let frame =
            [[0_u8; 6].as_slice(), &[99, 0, 0, 99, 0, 0, 0, 0, 0, 0], &chunk(b"VP8 ", &lossy(100))].concat();
        let moving = canvas(2, &[chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &frame)]);
        assert_eq!(memory(Format::WebP, &moving), Ok(30_000 + 80_000 + 112 * 112 * 3 / 2));
    }

    #[test]
    fn no_part_of_a_webp_is_larger_than_the_whole() {
        let broken = Err("image_broken".to_owned());
        // 16,383 by 16,383 pixels are 400 MB of planes.
        let frame = canvas(0, &[chunk(b"VP8 ", &lossy(16_383))]);
        assert_eq!(memory(Format::WebP, &frame), broken);
        let header = [[0_u8; 6].as_slice(), &[99, 0, 0, 99, 0, 0, 0, 0, 0, 0]].concat();
        // Behind an alpha channel whatever comes is read as a frame.
        for within in [
            chunk(b"VP8 ", &lossy(16_383)),
            [chunk(b"ALPH", &[0; 3]), chunk(b"NAME", &lossy(16_383))].concat(),
        ] {
            let content = [header.clone(), within].concat();
            let moving = canvas(2, &[chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &content)]);
            assert_eq!(memory(Format::WebP, &moving), broken);
        }
        let mut metadata = chunk(b"EXIF", &[0; 8]);
        metadata[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        let long = canvas(8, &[chunk(b"VP8 ", &lossy(100)), metadata]);
        assert_eq!(memory(Format::WebP, &long), broken);
        // A lossless stream of 16,383 by 16,383.
        let stream = canvas(0, &[chunk(b"VP8L", &[0x2f, 0xfe, 0xbf, 0xff, 0x0f, 0])]);
        assert_eq!(memory(Format::WebP, &stream), broken);
    }

    #[test]
    fn codes_of_a_lossless_part_are_counted_wherever_it_is() {
        let alpha = |content: &[u8]| canvas(0x10, &[chunk(b"ALPH", content), chunk(b"VP8 ", &lossy(100))]);
        let raw = memory(Format::WebP, &alpha(&[0; 5])).expect("it is not compressed");
        // No transform, no cache, no groups; five codes of one symbol.
        let codes = [1, 0b1000_1000, 0b1000_1000, 0b1000];
        let compressed = memory(Format::WebP, &alpha(&codes)).expect("a stream");
        assert_eq!(compressed, raw + 1_024, "one group, without a table");
        assert_eq!(memory(Format::WebP, &alpha(&codes[..2])), Err("image_broken".into()));
    }
}
