-- expect: fails
for i = 1, 2, "0.5" do end
