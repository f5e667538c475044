import { Fault } from "#core/fault";

const form = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Checks a container's name, with or without its leading slash, and answers it without. Fault `invalid` in Docker's words. */
export function parseName(text: string): string {
  const name = text.startsWith("/") ? text.slice(1) : text;
  if (!form.test(name)) {
    throw new Fault(
      "invalid",
      `Invalid container name (${text.slice(0, 200)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  }
  return name;
}

/** A name such as `brisk_pasteur` that is not taken; after some tries with a digit behind it, as Docker does. */
export function generateName(isTaken: (name: string) => boolean, random: () => number = Math.random): string {
  for (let attempt = 0; attempt < 100; attempt++) {
    const plain = `${pick(adjectives, random)}_${pick(surnames, random)}`;
    const name = attempt < 6 ? plain : `${plain}${Math.floor(random() * 10 ** Math.min(attempt - 5, 6))}`;
    if (!isTaken(name)) return name;
  }
  throw new Fault("exhausted", "could not generate a container name that is free", { remedy: "Give one by --name." });
}

function pick(words: readonly string[], random: () => number): string {
  return words[Math.floor(random() * words.length)] ?? "plain";
}

const adjectives: readonly string[] = (
  "able agile airy amber ample apt arctic ardent balmy bold brave breezy bright brisk calm candid careful cheery chief civil " +
  "clear clever coastal cordial cosmic crisp curious daring deft dewy dreamy eager early earnest easy fair fleet fluent fond " +
  "frank fresh frosty gentle gifted glad golden grand hardy hasty hearty honest humble jolly keen kind lively loyal lucid lunar " +
  "mellow merry mighty mild mindful misty modest neat nimble noble open patient placid playful plucky polite proud prudent quick " +
  "quiet radiant rapid ready regal robust rosy rustic sage serene sharp silent silver sincere sleek smart smooth snug solar solid " +
  "spry stable steady still stoic sturdy subtle sunny sure swift tender thrifty tidal tidy tranquil trusty upbeat valiant vivid " +
  "warm wary windy wise witty worthy young zealous zesty"
).split(" ");

const surnames: readonly string[] = (
  "abel agnesi ampere anning apgar archimedes avogadro babbage bardeen bell bernoulli bessel bohr boole born bose boyle brahe " +
  "carnot carson cauchy cavendish celsius ceres chandra clausius copernicus coulomb cray curie dalton darwin davy descartes " +
  "dijkstra dirac doppler edison einstein erdos euclid euler faraday fermat fermi fibonacci fourier franklin fresnel galileo " +
  "galois gauss germain gibbs godel goodall haber halley hamilton heisenberg hermite hertz hilbert hodgkin hooke hopper hubble " +
  "huygens hypatia jacobi joule kepler kirchhoff knuth kovalevskaya lagrange lamarr laplace lavoisier leavitt leibniz linnaeus " +
  "lovelace mach markov maxwell mccarthy meitner mendel mendeleev mitchell moore morse nash newton nobel noether ohm pascal " +
  "pasteur pauli payne peano planck poincare poisson ptolemy pythagoras raman ramanujan riemann ritchie rontgen rutherford sagan " +
  "salk sanger shannon somerville stokes tesla thales thompson torvalds turing venn vesalius volta wallace watt weber wien wiles " +
  "wing wirth yalow young yukawa zeno zuse"
).split(" ");
