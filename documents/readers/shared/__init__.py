"""What readers of several families need: XML, layout, pictures, formulas, numerals and symbols."""
