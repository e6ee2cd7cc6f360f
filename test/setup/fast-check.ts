import fc from 'fast-check';

// The same cases in every run, so that a red one means a change of the code and not of the dice. To look further:
// VANE_TEST_SEED=1234 npm test
fc.configureGlobal({ seed: Number(process.env.VANE_TEST_SEED ?? 20_261_125) });
