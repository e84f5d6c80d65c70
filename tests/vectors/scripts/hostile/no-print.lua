-- expect: fails
print("x")
