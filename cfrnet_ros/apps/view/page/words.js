// Plain words for the names that the node uses.

const REASONS = {
  too_small: 'too small',
  too_dark: 'too dark',
  not_upright: 'not upright',
  overexposed: 'burnt out',
  turned: 'turned away',
  low_score: 'uncertain detection',
  covered: 'covered, or lit from one side',
  identity_drift: 'another person after restoration',
};

const CAUSES = {
  empty: 'without pixels',
  truncated: 'cut off',
  bad_layout: 'layout does not fit the encoding',
  too_large: 'too large',
  unknown_encoding: 'unknown encoding',
  corrupt: 'damaged',
  not_finite: 'infinite or no number',
  internal: 'error inside the node',
};

const STAGES = {
  wait: 'waiting',
  decode: 'decoding',
  detect: 'detection',
  track: 'tracking',
  align: 'alignment',
  quality: 'measuring faces',
  fuse: 'fusion',
  identity: 'identity check',
  smooth: 'smoothing',
  blend: 'blending',
  debug: 'debug view',
  publish: 'publishing',
  total: 'in the node',
  age: 'age when sent',
};

export const SETTINGS = {
  cycles: ['Cycles', 'More restore more and take longer.'],
  strength: ['Strength', 'Share of the restored face; the rest is the fused one, before the network.'],
  fusion: ['Fusion', 'Weight of what earlier frames have measured.'],
  temporal_smoothing: ['Smoothing', 'Less flicker where nothing moves.'],
};

export function reasonText(reason) {
  return REASONS[reason] ?? reason;
}

export function causeText(cause) {
  return CAUSES[cause] ?? cause;
}

export function stageText(stage) {
  const cycle = /^restore_cycle_(\d+)$/.exec(stage);
  return cycle ? `cycle ${cycle[1]}` : STAGES[stage] ?? stage;
}
