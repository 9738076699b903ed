// How the search ranks what it finds: a name of the library that holds the word comes before a page that has it
// in passing, and functions and classes come before their members. Sphinx puts this into searchtools.js.
var Scorer = {
  score: ([, title, , , score, , kind]) => (kind === "object" ? score - 6 * Math.max(0, title.split(".").length - 2) : score),
  objNameMatch: 20,
  objPartialMatch: 14,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
