//! CRC-32 as in Ethernet and PNG (ISO-HDLC), with a table of 64 bytes. The inputs are small, and the tables of faster
//! algorithms would add sixteen incompressible kilobytes to the download.

/// The remainders of the sixteen values of half a byte.
const TABLE: [u32; 16] = table();

/// Returns the checksum of `bytes`.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, half: u32| TABLE[((crc ^ half) & 15) as usize] ^ (crc >> 4);
    !bytes.iter().fold(!0, |crc, byte| step(step(crc, (*byte).into()), (byte >> 4).into()))
}

const fn table() -> [u32; 16] {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut table = [0; 16];
    let mut half = 0;
    while half < 16 {
        let mut remainder = half as u32;
        let mut bit = 0;
        while bit < 4 {
            remainder = (remainder >> 1) ^ if remainder & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[half] = remainder;
        half += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_check_values_of_the_catalogue_come_out() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(&[0xff; 32]), 0xff6c_ab0b);
    }
}
