"""Exhaustive rigid fits by Fourier transforms: colores (Situs), PowerFit and VESPER."""
