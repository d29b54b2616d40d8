"""The pages at `/`: what an operator and a KB's owner see in a browser, made from the same functions as REST."""
