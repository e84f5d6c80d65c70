-- expect: fails
for i = 1, "2.5" do end
