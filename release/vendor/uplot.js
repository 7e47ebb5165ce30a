// Curves, as one module; loaded by the views that draw some. Its style sheet is uplot.css.
export { default } from "uplot";
