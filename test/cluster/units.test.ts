/** Quantities as people write them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatBytes,
  parseBandwidth,
  parseQuantity,
  parseSize,
  parseTime,
  quantityPattern,
} from '../../compiler/cluster/units.ts';

const test = suite('units');

test('bandwidth in bytes per second, decimal and binary', () => {
  assert.is(parseBandwidth('93 Mbit/s'), 93e6 / 8);
  assert.is(parseBandwidth('1Gbit/s'), 1e9 / 8);
  assert.is(parseBandwidth(' 1.5e3 kB/s '), 1.5e6);
  assert.is(parseBandwidth('2 MiB/s'), 2 * 2 ** 20);
});

test('time in seconds, size in bytes', () => {
  assert.is(parseTime('2 ms'), 2e-3);
  assert.is(parseTime('250 µs'), parseTime('250 us'));
  assert.is(parseTime('0 s'), 0);
  assert.is(parseSize('512 MiB'), 512 * 2 ** 20);
  assert.is(parseSize('2 GB'), 2e9);
});

test('power in watts, energy in joules a byte', () => {
  assert.is(parseQuantity('600 mW', 'power'), 0.6);
  assert.is(parseQuantity('2 µW', 'power'), parseQuantity('2 uW', 'power'));
  assert.is(parseQuantity('1 nJ/B', 'energy per byte'), 1e-9);
  assert.is(parseQuantity('1 nJ/bit', 'energy per byte'), 8e-9);
  assert.is(parseQuantity('1 J/MB', 'energy per byte'), 1e-6);
});

test('the pattern for editors takes what is read, and nothing else', () => {
  const pattern = new RegExp(quantityPattern('bandwidth'));
  for (const text of ['93 Mbit/s', ' 1.5e3 kB/s ', '1Gbit/s', '1E-3 B/s', '+2 MB/s']) {
    assert.type(parseBandwidth(text), 'number', text);
    assert.ok(pattern.test(text), text);
  }
  for (const text of ['10', '10 Mbps', '-1 MB/s', 'MB/s', '10 MB/s or so', '10 MB'])
    assert.not.ok(pattern.test(text), text);
});

test('what is no quantity says what is wrong, and what would be right', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /no quantity/],
    ['fast', /no quantity/],
    ['1.2.3 MB/s', /no quantity/],
    ['10', /no unit; write one of bit\/s/],
    ['10 Mbps', /"Mbps" is no known unit/],
    ['10 mbit/s', /"mbit\/s" is no known unit/],
    ['10 constructor', /"constructor" is no known unit/],
    ['10 MB', /"MB" is no known unit/],
  ];
  for (const [text, message] of wrong) {
    const result = parseBandwidth(text);
    assert.type(result, 'string', text);
    assert.match(String(result), message);
  }
  assert.match(String(parseTime('2 minutes')), /ns, us, µs, ms, s/);
  assert.match(String(parseSize('2 gigabytes')), /KiB, MiB, GiB/);
});

test('bytes are shown with three digits', () => {
  const shown = { 0: '0 B', 1023: '1023 B', 1024: '1.00 KiB', 12800: '12.5 KiB', 1073741824: '1.00 GiB' };
  for (const [bytes, text] of Object.entries(shown)) assert.is(formatBytes(Number(bytes)), text);
});

test.run();
