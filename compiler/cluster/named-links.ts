/** Links that a cluster file may call by name; each field can be given beside the name and then counts instead. */
import type { Link } from './cluster.ts';

type Figures = Omit<Link, 'between'>;

/** What a link has of which the file says nothing. */
export const PLAIN: Omit<Figures, 'bandwidth'> = {
  latency: 0,
  overhead: 0,
  burst: 0,
  frame: null,
  energy: 0,
  power: 0,
  duplex: 'full',
};

/**
 * Ethernet as Kress et al. 2024 model it (CNNParted): a frame of 1500 bytes payload carries 8 bytes of preamble and 18 of
 * addresses, type and checksum; 5 m of cable at 6 ns/m. The cable alone: a network stack adds its own latency and overhead.
 */
const ethernet: Omit<Figures, 'bandwidth' | 'power'> = {
  ...PLAIN,
  latency: 5 * 6e-9,
  frame: { payload: 1500, overhead: 26 },
};

/** Bytes, seconds and watts, as in {@link Link}. */
export const NAMED_LINKS = {
  /** Power: 200 mW, their figure for 100BASE-TX. */
  'ethernet-100': { ...ethernet, bandwidth: 100e6 / 8, power: 0.2 },
  /** Power: 600 mW, their figure for 1000BASE-T. */
  'ethernet-1000': { ...ethernet, bandwidth: 1e9 / 8, power: 0.6 },
  /**
   * A radio channel of 80 MHz that two machines share. Bandwidth: 10.0 MB/s, the mean over time of what LOPInfer's authors
   * logged indoors, which is what arrived, so that no frame is counted. Latency: 2 ms, an assumption. What sending costs is
   * in the boards' power that they measured.
   */
  'wifi-80': { ...PLAIN, bandwidth: 80e6 / 8, latency: 2e-3, duplex: 'half' },
} as const satisfies Record<string, Figures>;

export type LinkName = keyof typeof NAMED_LINKS;
export const LINK_NAMES = Object.keys(NAMED_LINKS) as [LinkName, ...LinkName[]];
